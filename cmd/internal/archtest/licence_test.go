package archtest

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Licences under which others' code may be part of the programs. Texts are told by phrases that only they hold.
var licences = []struct {
	name   string
	phrase string
}{
	{"Apache-2.0", `Apache License,?\s+Version 2\.0`},
	{"MPL-2.0", `Mozilla Public License,?\s+(Version|v\.) 2\.0`},
	{"MIT", `Permission is hereby granted, free of charge, to any person obtaining a copy`},
	{"BSD", `Redistribution and use in source and binary forms, with or without`},
	{"ISC", `Permission to use, copy, modify, and(/or)? distribute this software for any purpose with or without fee`},
	{"Unlicense", `This is free and unencumbered software released into the public domain`},
	{"CC0-1.0", `CC0 1\.0 Universal`},
}

var copyleft = regexp.MustCompile(`(?i)GNU (AFFERO |LESSER )?GENERAL PUBLIC LICENSE`)

// exceptions are modules whose text says something else, each with the reason why it may be used.
var exceptions = map[string]string{
	// The library is LGPL-3.0 (COPYING.LESSER); its programs, which are GPL-3.0, are not linked. Whoever gets the program
	// can build it anew with another version of the library: the source is open.
	"github.com/ethereum/go-ethereum": "LGPL-3.0",
	// Dual, MIT or Apache-2.0, by a link to the texts.
	"github.com/multiformats/go-base36": "MIT OR Apache-2.0",
	// The text is in its README. Arrow v17 needs it.
	"github.com/JohnCGriffin/overflow": "MIT",
}

func TestEveryModuleThatIsLinkedHasAPermissiveLicence(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/roadcomb", "./cmd/roadcomb-iceberg", "./cmd/roadcam")
	cmd.Dir = "../../.."
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	dirs := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main {
			dirs[p.Module.Path] = p.Module.Dir
		}
	}
	if len(dirs) < 50 {
		t.Fatalf("only %d modules", len(dirs))
	}
	for path, dir := range dirs {
		kind, texts := "", 0
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var all []byte
		for _, e := range entries {
			n := strings.ToUpper(e.Name())
			if e.IsDir() || !strings.HasPrefix(n, "LICEN") && !strings.HasPrefix(n, "COPYING") && n != "UNLICENSE" {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			texts++
			all = append(append(all, b...), '\n')
		}
		flat := regexp.MustCompile(`\s+`).ReplaceAllString(string(all), " ")
		for _, l := range licences {
			if regexp.MustCompile(strings.ReplaceAll(l.phrase, `\s+`, ` `)).MatchString(flat) {
				kind = l.name
				break
			}
		}
		switch why, ok := exceptions[path]; {
		case ok && why != "":
		case texts == 0:
			t.Errorf("%s has no licence file", path)
		case copyleft.MatchString(flat) && kind != "MPL-2.0" && kind != "Apache-2.0":
			t.Errorf("%s is under a GNU licence", path)
		case kind == "":
			t.Errorf("%s: a licence unknown here: %.120q", path, flat)
		}
	}
	for path := range exceptions {
		if _, ok := dirs[path]; !ok {
			t.Errorf("the exception for %s is needless", path)
		}
	}
}

// What npm brings into the web page and beside the program; packages for development are not shipped.
func TestEveryShippedNPMPackageHasAPermissiveLicence(t *testing.T) {
	allowed := []string{"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "CC0-1.0", "Unlicense", "(MIT OR CC0-1.0)", "(MIT OR Apache-2.0)", "BlueOak-1.0.0"}
	for _, lock := range []string{"tiles/viewer/package-lock.json", "vision/models/package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("../../..", lock))
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Packages map[string]struct {
				License string
				Dev     bool
			}
		}
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(lock, err)
		}
		n := 0
		for path, p := range f.Packages {
			if path == "" || p.Dev {
				continue
			}
			n++
			if !slices.Contains(allowed, p.License) {
				t.Errorf("%s: %s is under %q", lock, path, p.License)
			}
		}
		if n == 0 {
			t.Errorf("%s ships nothing", lock)
		}
	}
}
