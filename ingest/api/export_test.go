package api

import "encoding/json"

// CheckManifest is what opening an upload does to a body before anything is kept.
func CheckManifest(b []byte, l Limits) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	return &m, m.check(l.withDefaults())
}
