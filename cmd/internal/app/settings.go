package app

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/purge"
	visionworker "github.com/roadcomb/roadcomb/vision/worker"
)

// settings are shared by the verbs that open the platform. The zero addresses mean the embedded servers under Home.
type settings struct {
	cacheSettings
	Home     string        `help:"Data folder of the embedded servers." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	State    survey.Secret `help:"State database: a postgres:// URL; empty for SQLite in the data folder." env:"ROADCOMB_STATE" placeholder:"URL"`
	S3       string        `name:"s3" help:"Object store: http(s)://host:port of any S3 server; empty for the embedded one." env:"ROADCOMB_S3" placeholder:"URL"`
	S3Key    string        `name:"s3-key" help:"Access key of the object store." env:"ROADCOMB_S3_KEY" placeholder:"KEY"`
	S3Secret survey.Secret `name:"s3-secret" help:"Secret key of the object store." env:"ROADCOMB_S3_SECRET" placeholder:"SECRET"`
	S3Region string        `name:"s3-region" help:"Region of the object store." default:"us-east-1" env:"ROADCOMB_S3_REGION"`
	S3Prefix string        `name:"s3-prefix" help:"Put before bucket names." env:"ROADCOMB_S3_PREFIX"`
	S3Public string        `name:"s3-public" help:"Address that uploaders reach the object store by, when it differs." env:"ROADCOMB_S3_PUBLIC" placeholder:"URL"`
	S3Listen string        `name:"s3-listen" help:"Where the embedded object store listens." default:"127.0.0.1:9000" env:"ROADCOMB_S3_LISTEN" placeholder:"ADDR"`
	Models   string        `help:"Folder of privacy models; empty for the ones that set-up installed. A folder without them publishes nothing." env:"ROADCOMB_MODELS" placeholder:"DIR" type:"path"`
	Roads    string        `help:"OSM extract (.osm.pbf): drives are matched to its roads, and covered metres counted; empty counts none. The same file for every process." env:"ROADCOMB_ROADS" placeholder:"FILE" type:"path"`
	Jobs     int           `help:"Jobs worked at a time, vision apart; 0 means two for each core." env:"ROADCOMB_JOBS"`
	Vision   int           `help:"Frames that vision looks at side by side; 0 means one for each core." env:"ROADCOMB_VISION"`
	Hide     []string      `help:"Hidden besides faces and plates: person, vehicle. Needs a model for it in --models; without one nothing is published." enum:"person,vehicle" env:"ROADCOMB_HIDE" placeholder:"CLASS"`
	Nice     int           `help:"How nice work, and what works on pictures, is to other processes of the machine, 0 to 19: nobody waits for a picture as somebody waits for an answer. Costs nothing on an idle machine." default:"10" env:"ROADCOMB_NICE"`
	Features string        `help:"What is looked for beside the road: none, signs, or all (signs, and text in every second frame)." enum:"none,signs,all" default:"all" env:"ROADCOMB_FEATURES"`

	SigningKey survey.Secret `help:"The network's Ed25519 key: signing_key of its secrets.json, where this data folder has another one." env:"ROADCOMB_SIGNING_KEY" placeholder:"KEY"`

	Throwaway bool `kong:"-"` // the data folder is removed in the end: its objects need not outlast a power cut

	Payout payoutSettings `embed:"" prefix:"payout-"`

	opsSettings
	rehearsal
	loadSettings
}

// cacheSettings name the cache in front of the map, if there is one.
type cacheSettings struct {
	Purge       string        `name:"purge-url" help:"Cache in front of the map: where it takes surrogate keys of what changed." env:"ROADCOMB_PURGE_URL" placeholder:"URL"`
	PurgeFormat string        `name:"purge-format" help:"How that cache takes keys: surrogate-key (Fastly) or cache-tag (Cloudflare)." enum:"surrogate-key,cache-tag" default:"surrogate-key" env:"ROADCOMB_PURGE_FORMAT"`
	PurgeHeader survey.Secret `name:"purge-header" help:"Header with that cache's credential." env:"ROADCOMB_PURGE_HEADER" placeholder:"NAME: VALUE"`
}

func (c cacheSettings) hook(db *state.DB) (*purge.Hook, error) {
	return purge.New(db, purge.Config{URL: c.Purge, Format: purge.Format(c.PurgeFormat), Header: c.PurgeHeader})
}

// database is the address of the state database.
func (s settings) database() string {
	if s.State != "" {
		return s.State.Reveal()
	}
	return "sqlite:" + filepath.Join(s.Home, "state.db")
}

func (s settings) jobs() (other, vision int) {
	other, vision = s.Jobs, s.Vision
	if other <= 0 {
		other = 2 * runtime.GOMAXPROCS(0)
	}
	if vision <= 0 {
		vision = runtime.GOMAXPROCS(0)
	}
	return other, vision
}

// features is what vision looks for beside the road.
func (s settings) features() visionworker.Features {
	f := visionworker.Features{Off: s.Features == "none"}
	if s.Features == "signs" {
		f.TextEvery = -1
	}
	return f
}

// secrets are made once for a data folder and kept in it, readable by its owner only.
type secrets struct {
	S3Key       string        `json:"s3_key"`
	S3Secret    survey.Secret `json:"s3_secret"`
	DriverToken survey.Secret `json:"driver_token"` // of the local contributor
	Operator    survey.Secret `json:"operator_token"`
	SigningKey  survey.Secret `json:"signing_key"` // Ed25519 seed in base64: signs snapshots and archive; the keys that sign decisions about rewards derive from it
}

// signer is the network's key. It is nil for secrets that hold none.
func (s secrets) signer() ed25519.PrivateKey {
	key, err := parseSigningKey(s.SigningKey)
	if err != nil {
		return nil
	}
	return key
}

func newSigningKey() survey.Secret {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails
	return survey.Secret(base64.StdEncoding.EncodeToString(seed))
}

// loadSecrets reads the data folder's secrets, making them on first use.
func loadSecrets(home string) (secrets, error) {
	path := filepath.Join(home, "secrets.json")
	b, err := os.ReadFile(path)
	if err == nil {
		var s secrets
		if err := json.Unmarshal(b, &s); err != nil {
			return s, survey.Errorf(survey.Invalid, "%s: %w", path, err).WithHint("restore it from a backup; the object store is locked by it")
		}
		if s.S3Key == "" || s.S3Secret == "" || s.DriverToken == "" || s.Operator == "" {
			return s, survey.Errorf(survey.Invalid, "%s lacks a secret", path).WithHint("restore it from a backup; the object store is locked by it")
		}
		if s.SigningKey == "" { // made before there was one
			s.SigningKey = newSigningKey()
			return s, s.write(path)
		}
		if s.signer() == nil {
			return s, survey.Errorf(survey.Invalid, "%s: signing_key is not 32 bytes in base64", path).WithHint("restore it from a backup")
		}
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets{}, survey.Errorf(survey.Unavailable, "secrets: %w", err)
	}
	s := secrets{S3Key: "roadcomb", S3Secret: survey.Secret(httpx.NewSecret(20)), DriverToken: survey.Secret(httpx.NewSecret(20)), Operator: survey.Secret(httpx.NewSecret(20)), SigningKey: newSigningKey()}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return s, survey.Errorf(survey.Unavailable, "data folder: %w", err).WithHint("choose a folder you may write to with --home")
	}
	if err := os.Chmod(home, 0o700); err != nil { // also a folder that was there
		return s, survey.Errorf(survey.Unavailable, "data folder: %w", err).WithHint("choose a folder of your own with --home: nobody else may read it")
	}
	return s, s.write(path)
}

func (s secrets) write(path string) error {
	b, err := json.MarshalIndent(map[string]string{"s3_key": s.S3Key, "s3_secret": s.S3Secret.Reveal(), "driver_token": s.DriverToken.Reveal(),
		"operator_token": s.Operator.Reveal(), "signing_key": s.SigningKey.Reveal()}, "", " ")
	if err != nil {
		return err
	}
	if err := writeFileAtomic(path, b, 0o600); err != nil {
		return survey.Errorf(survey.Unavailable, "data folder: %w", err).WithHint("choose a folder you may write to with --home")
	}
	return nil
}

// writeFileAtomic leaves either the old file or the whole new one.
func writeFileAtomic(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	return fillFile(f, path, mode, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// fillFile gives the temporary file f, in the folder of path, its content and then its name.
func fillFile(f *os.File, path string, mode fs.FileMode, fill func(io.Writer) error) error {
	defer os.Remove(f.Name())
	w := bufio.NewWriterSize(f, 1<<20)
	err := fill(w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeJSONLine(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
