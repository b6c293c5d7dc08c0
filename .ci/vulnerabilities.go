//go:build ignore

// vulnerabilities database FROM OUT makes the folder OUT a database as govulncheck reads one
// (https://go.dev/doc/security/vuln/database) out of FROM, the data/osv folder of the module golang.org/x/vulndb, so that
// checking needs nothing but the module proxy.
//
// vulnerabilities judge reads what govulncheck -format json writes from standard input. It fails for a fault of a module that
// our code reaches. A fault of the standard library is one of the Go that builds, which is not the repository's to choose: it
// is told, and a release is to be built with the version named.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// entry is what the index needs of a report.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases,omitempty"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected,omitempty"`
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
}

// modVuln leaves out in which version a fault was mended, so that it is always judged by the whole report.
type modVuln struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
}

type module struct {
	Path  string    `json:"path"`
	Vulns []modVuln `json:"vulns"`
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "database":
		err = database(os.Args[2], os.Args[3])
	case len(os.Args) == 2 && os.Args[1] == "judge":
		err = judge(os.Stdin, os.Stdout)
	default:
		fmt.Fprintln(os.Stderr, "usage: vulnerabilities database FROM OUT | judge")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulnerabilities:", err)
		os.Exit(1)
	}
}

// finding is one way by which a fault is reached; the first frame of its trace is the faulty function.
type finding struct {
	OSV   string `json:"osv"`
	Fixed string `json:"fixed_version"`
	Trace []struct {
		Module   string `json:"module"`
		Version  string `json:"version"`
		Package  string `json:"package"`
		Function string `json:"function"`
	} `json:"trace"`
}

func judge(r io.Reader, w io.Writer) error {
	summary, std, ours := map[string]string{}, map[string]string{}, map[string]string{}
	scanned := false
	for d := json.NewDecoder(r); ; {
		var m struct {
			Config  *struct{} `json:"config"`
			Finding *finding  `json:"finding"`
			OSV     *struct {
				ID      string `json:"id"`
				Summary string `json:"summary"`
			} `json:"osv"`
		}
		err := d.Decode(&m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read what govulncheck says: %w", err)
		}
		scanned = scanned || m.Config != nil
		if m.OSV != nil {
			summary[m.OSV.ID] = m.OSV.Summary
		}
		f := m.Finding
		if f == nil || len(f.Trace) == 0 || f.Trace[0].Function == "" {
			continue // in a module or package that is there, but nothing of it is reached
		}
		at := f.Trace[0]
		line := fmt.Sprintf("%s %s in %s %s, mended in %s", f.OSV, summary[f.OSV], at.Package, at.Version, f.Fixed)
		if at.Module == "stdlib" || at.Module == "toolchain" {
			std[f.OSV] = line
		} else {
			ours[f.OSV] = line
		}
	}
	if !scanned {
		return fmt.Errorf("govulncheck said nothing")
	}
	for _, id := range slices.Sorted(maps.Keys(std)) {
		fmt.Fprintln(w, "of the Go that builds:", std[id])
	}
	for _, id := range slices.Sorted(maps.Keys(ours)) {
		fmt.Fprintln(w, "REACHED:", ours[id])
	}
	if len(ours) > 0 {
		return fmt.Errorf("%d faults of modules are reached", len(ours))
	}
	return nil
}

func database(from, out string) error {
	names, err := filepath.Glob(filepath.Join(from, "GO-*.json"))
	if err != nil || len(names) < 1000 {
		return fmt.Errorf("%s holds %d reports, too few to be the database: %v", from, len(names), err)
	}
	for _, dir := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(out, dir), 0o755); err != nil {
			return err
		}
	}
	mods := map[string]*module{}
	var vulns []entry
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if e.Withdrawn != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(out, "ID", e.ID+".json"), b, 0o644); err != nil {
			return err
		}
		for _, a := range e.Affected {
			m := mods[a.Package.Name]
			if m == nil {
				m = &module{Path: a.Package.Name}
				mods[m.Path] = m
			}
			if v := (modVuln{e.ID, e.Modified}); !slices.Contains(m.Vulns, v) {
				m.Vulns = append(m.Vulns, v)
			}
		}
		vulns = append(vulns, entry{ID: e.ID, Modified: e.Modified, Aliases: e.Aliases})
	}
	var list []*module
	for _, p := range slices.Sorted(maps.Keys(mods)) {
		list = append(list, mods[p])
	}
	for name, v := range map[string]any{"modules": list, "vulns": vulns, "db": map[string]time.Time{"modified": time.Now().UTC()}} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, "index", name+".json"), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
