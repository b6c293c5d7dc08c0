//go:build ignore

// vulnerabilities database FROM OUT makes the folder OUT a database as govulncheck reads one
// (https://go.dev/doc/security/vuln/database) out of FROM, the data/osv folder of the module golang.org/x/vulndb, so that
// checking needs nothing but the module proxy.
//
// vulnerabilities judge TOOLCHAIN ACCEPTED reads what govulncheck -format json writes from standard input. It fails for a fault
// that our code reaches and that a release would have. What the Go that builds here still has, and the TOOLCHAIN of releases
// ("go1.26.10") has not, is told. ACCEPTED is a file of lines "GO-2026-1234 why it does no harm here"; # begins a comment.
package main

import (
	"encoding/json"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	case len(os.Args) == 4 && os.Args[1] == "judge":
		err = judge(os.Stdin, os.Stdout, os.Args[2], os.Args[3])
	default:
		fmt.Fprintln(os.Stderr, "usage: vulnerabilities database FROM OUT | judge TOOLCHAIN ACCEPTED")
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

func judge(r io.Reader, w io.Writer, toolchain, acceptedFile string) error {
	if !version.IsValid(toolchain) {
		return fmt.Errorf("toolchain %q is no version of Go such as go1.26.10", toolchain)
	}
	accepted, err := reasons(acceptedFile)
	if err != nil {
		return err
	}
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
		mended := "go" + strings.TrimPrefix(f.Fixed, "v")
		if at.Module == "stdlib" && f.Fixed != "" && version.Compare(mended, toolchain) <= 0 {
			std[f.OSV] = line
		} else {
			ours[f.OSV] = line
		}
	}
	if !scanned {
		return fmt.Errorf("govulncheck said nothing")
	}
	for _, id := range slices.Sorted(maps.Keys(std)) {
		fmt.Fprintf(w, "only of the Go that builds here, not of releases (%s): %s\n", toolchain, std[id])
	}
	reached := 0
	for _, id := range slices.Sorted(maps.Keys(ours)) {
		if why, ok := accepted[id]; ok {
			fmt.Fprintf(w, "accepted: %s: %s\n", ours[id], why)
			continue
		}
		reached++
		fmt.Fprintln(w, "REACHED:", ours[id])
	}
	for _, id := range slices.Sorted(maps.Keys(accepted)) {
		if ours[id] == "" {
			fmt.Fprintf(w, "%s is no longer reached: take it out of %s\n", id, acceptedFile)
		}
	}
	if reached > 0 {
		return fmt.Errorf("%d faults are reached: raise the module's version, or the toolchain line of go.mod, or say in %s why it does no harm", reached, acceptedFile)
	}
	return nil
}

// reasons reads the file of accepted faults.
func reasons(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for n, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		id, why, _ := strings.Cut(line, " ")
		if why = strings.TrimSpace(why); !strings.HasPrefix(id, "GO-") || why == "" {
			return nil, fmt.Errorf("%s:%d: %q is no id with a reason", file, n+1, line)
		}
		out[id] = why
	}
	return out, nil
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
