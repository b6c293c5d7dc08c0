// Package ruleset holds the dated rulesets of the network: the numbers as JSON, the order of operations as prose beside
// them (v1.md, v2.md). A published file is never edited; a change is a new file and a new line in the table, and an epoch that
// no line covers cannot be closed.
package ruleset

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

//go:embed v1.json
var v1 []byte

//go:embed v2.json
var v2 []byte

// table lists the rulesets by the epoch they begin with, ascending. It has no default: before its first line there is
// no ruleset.
func table() [][]byte { return [][]byte{v1, v2} }

// For is the ruleset of an epoch and the exact bytes it was read from, which are published with the epoch. An epoch
// before the first ruleset is Unsupported.
func For(e survey.Epoch) (rewards.Ruleset, []byte, error) {
	var found rewards.Ruleset
	var text []byte
	for _, b := range table() {
		rs, err := Parse(b)
		if err != nil {
			return rewards.Ruleset{}, nil, err
		}
		if rs.From.Number() <= e.Number() {
			found, text = rs, b
		}
	}
	if text == nil {
		return rewards.Ruleset{}, nil, survey.Errorf(survey.Unsupported, "no ruleset covers epoch %s", e).
			WithHint("check the clock that stamped the uploads")
	}
	return found, text, nil
}

// Named is the text of a ruleset of the table by its version; an unknown one is NotFound.
func Named(version string) ([]byte, error) {
	for _, b := range table() {
		if rs, err := Parse(b); err != nil || rs.Version == version {
			return b, err
		}
	}
	return nil, survey.Errorf(survey.NotFound, "there is no ruleset %.40q", version)
}

// Parse reads a ruleset; an unknown key, or a value that decides nothing, is Invalid.
func Parse(b []byte) (rewards.Ruleset, error) {
	var rs rewards.Ruleset
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&rs); err != nil {
		return rewards.Ruleset{}, survey.Errorf(survey.Invalid, "ruleset: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return rewards.Ruleset{}, survey.Errorf(survey.Invalid, "ruleset: text after the end")
	}
	return rs, rs.Validate()
}
