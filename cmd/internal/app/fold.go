package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/datasets/query/fold"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// clickHouseSettings name the server that folds, and answers questions, instead of the embedded engine.
type clickHouseSettings struct {
	ClickHouse   survey.Secret `name:"clickhouse" help:"Work on this ClickHouse server instead of here: its HTTP address, user and password in it if it needs them. It must be able to read the files itself." env:"ROADCOMB_CLICKHOUSE" placeholder:"URL"`
	ClickHouseS3 string        `name:"clickhouse-s3" help:"Address by which ClickHouse reaches the object store, when it differs from --s3." env:"ROADCOMB_CLICKHOUSE_S3" placeholder:"URL"`
}

// foldSettings are shared by the verbs that fold.
type foldSettings struct {
	clickHouseSettings
	Memory  int `help:"Most memory in MB that the fold holds before it uses the disk." default:"2048"`
	Threads int `help:"Threads of the fold; 0 means one for each core." default:"0"`
}

type cellsFoldCmd struct {
	settings
	foldSettings
	From string `help:"Folder of observations: one with snapshot.json, or any that holds Parquet files of observations in folders named date=YYYY-MM-DD. Empty for this network's lake." type:"path" placeholder:"DIR"`
	Out  string `help:"Folder for cells.parquet and for what lets the next run read only what is new." required:"" type:"path" placeholder:"DIR"`
	JSON bool   `help:"Print the result as JSON."`
}

func (cellsFoldCmd) Help() string {
	return "Memory stays under --memory and a little more, whatever the number of observations. DuckDB in this program and ClickHouse give the same bytes.\n\nExample: roadcomb cells fold --from out/datasets --out cells"
}

func (c *cellsFoldCmd) Run(ctx context.Context, e *environ) error {
	if c.From == "" {
		return withPlatform(ctx, c.settings, e, func(p *platform) error {
			r, err := p.foldLake(ctx, c.foldSettings, c.Out)
			if err != nil {
				return err
			}
			return c.print(e, r)
		})
	}
	parts, err := localParts(c.From)
	if err != nil {
		return err
	}
	r, err := c.run(ctx, parts, c.Out, clickhouse.Files)
	if err != nil {
		return err
	}
	return c.print(e, r)
}

func (c *cellsFoldCmd) print(e *environ, r fold.Result) error {
	if c.JSON {
		return writeJSON(e.stdout, r)
	}
	_, err := fmt.Fprintf(e.stdout, "%d observations in %d cells; %d of %d partitions read, folded in %.1f s, written in %.1f s\n%s sha256:%s\n",
		r.Observations, r.Cells, r.Read, r.Parts, r.FoldTime.Seconds(), r.CellsTime.Seconds(), filepath.Join(c.Out, r.File), r.SHA256)
	return err
}

// run folds here, or on ClickHouse, which reads the files by source.
func (s foldSettings) run(ctx context.Context, parts []fold.Part, out string, source clickhouse.Source) (fold.Result, error) {
	local, err := fold.OpenDuckDB(ctx, out, fold.Options{MemoryMB: s.Memory, Threads: s.Threads})
	if err != nil {
		return fold.Result{}, err
	}
	defer local.Close()
	stale, _ := filepath.Glob(filepath.Join(out, ".day-*")) // of a run that was killed
	for _, d := range stale {
		os.RemoveAll(d)
	}
	var remote *fold.ClickHouse
	if s.ClickHouse != "" {
		remote = &fold.ClickHouse{URL: s.ClickHouse.Reveal(), Source: source}
	}
	return fold.Run(ctx, parts, out, local, remote)
}

var (
	dateFolder = regexp.MustCompile(`(?:^|/)date=(\d{4}-\d{2}(?:-\d{2})?)/`)
	areaFolder = regexp.MustCompile(`/h3_r4=([0-9a-f]{15})/`)
)

// foldParts groups files by the date and the area in their paths. A part's key depends on their names and contents alone;
// open gives what Part.Files does.
func foldParts(files []snapshot.File, open func(context.Context, []snapshot.File) ([]string, func(), error)) ([]fold.Part, error) {
	type where struct{ date, area string }
	by := make(map[where][]snapshot.File)
	for _, f := range files {
		m := dateFolder.FindStringSubmatch(f.Path)
		if m == nil {
			return nil, survey.Errorf(survey.Invalid, "observations file %s is in no folder named date=YYYY-MM-DD", f.Path)
		}
		w := where{date: m[1]}
		if m := areaFolder.FindStringSubmatch(f.Path); m != nil {
			w.area = m[1]
		}
		by[w] = append(by[w], f)
	}
	var out []fold.Part
	for w, fs := range by {
		slices.SortFunc(fs, func(a, b snapshot.File) int { return strings.Compare(a.Path, b.Path) })
		p := fold.Part{Date: w.date, Area: w.area, Files: func(ctx context.Context) ([]string, func(), error) { return open(ctx, fs) }}
		var key strings.Builder
		for _, f := range fs {
			p.Rows += f.Rows
			fmt.Fprintf(&key, "%s %d %s\n", f.Path, f.Bytes, f.SHA256)
		}
		p.Key = survey.HashOf([]byte(key.String())).String()
		out = append(out, p)
	}
	return out, nil
}

// localParts are the partitions in a folder: those that its snapshot names, else every Parquet file in a date folder.
func localParts(dir string) ([]fold.Part, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var files []snapshot.File
	snap, _, _, err := snapshot.Load(dir)
	switch {
	case err == nil:
		files = snap.Datasets[schema.Observations.Name].Files
	case errors.Is(err, fs.ErrNotExist):
		if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".parquet" {
				return err
			}
			st, err := e.Info()
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			// The content is not hashed: a changed file has another size or time, which goes in its place.
			files = append(files, snapshot.File{Path: filepath.ToSlash(rel), Bytes: st.Size(), SHA256: survey.HashOf([]byte(st.ModTime().UTC().String()))})
			return nil
		}); err != nil {
			return nil, survey.Errorf(survey.NotFound, "observations: %w", err).WithHint("give --from a folder of observations")
		}
	default:
		return nil, fmt.Errorf("observations: %w", err)
	}
	if len(files) == 0 {
		return nil, survey.Errorf(survey.NotFound, "no observations in %s", dir).WithHint("give --from a folder with snapshot.json, or with Parquet files in folders named date=YYYY-MM-DD")
	}
	return foldParts(files, func(_ context.Context, fs []snapshot.File) (paths []string, _ func(), err error) {
		for _, f := range fs {
			p := filepath.Join(dir, filepath.FromSlash(f.Path))
			if !strings.HasPrefix(p, dir+string(filepath.Separator)) {
				return nil, nil, survey.Errorf(survey.Invalid, "snapshot names a file outside its folder: %q", f.Path)
			}
			paths = append(paths, p)
		}
		return paths, nil, nil
	})
}

// foldLake folds the observations of the lake's current snapshot. Here, the files of an area are fetched and checked while
// it is read; ClickHouse reads them from the object store.
func (p *platform) foldLake(ctx context.Context, s foldSettings, out string) (fold.Result, error) {
	snap, err := p.snapshot(ctx)
	if err != nil {
		return fold.Result{}, err
	}
	open := func(ctx context.Context, fs []snapshot.File) ([]string, func(), error) {
		return p.fetch(ctx, out, fs)
	}
	if s.ClickHouse != "" {
		open = func(_ context.Context, fs []snapshot.File) (keys []string, _ func(), err error) {
			for _, f := range fs {
				keys = append(keys, f.Path)
			}
			return keys, nil, nil
		}
	}
	parts, err := foldParts(snap.Datasets[schema.Observations.Name].Files, open)
	if err != nil {
		return fold.Result{}, err
	}
	return s.run(ctx, parts, out, p.clickHouseSource(s.clickHouseSettings))
}

// clickHouseSource reads the lake from ClickHouse.
func (p *platform) clickHouseSource(s clickHouseSettings) clickhouse.Source {
	endpoint, key, secret := p.set.S3, p.set.S3Key, p.set.S3Secret
	if p.s3 != nil {
		endpoint, key, secret = p.s3.Endpoint, p.secrets.S3Key, p.secrets.S3Secret
	}
	if s.ClickHouseS3 != "" {
		endpoint = s.ClickHouseS3
	}
	return clickhouse.Objects(endpoint, p.set.S3Prefix+string(store.Lake), key, secret.Reveal())
}

// fetch brings files of the lake to this machine, each checked against its hash; release removes them.
func (p *platform) fetch(ctx context.Context, out string, files []snapshot.File) (paths []string, release func(), err error) {
	dir, err := os.MkdirTemp(out, ".day-")
	if err != nil {
		return nil, nil, survey.Errorf(survey.Unavailable, "fold: %w", err)
	}
	release = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			release()
		}
	}()
	for i, f := range files {
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", i))
		if err := p.download(ctx, f, path); err != nil {
			return nil, nil, err
		}
		paths = append(paths, path)
	}
	return paths, release, nil
}

func (p *platform) download(ctx context.Context, f snapshot.File, path string) error {
	src, _, err := p.store.Open(ctx, store.Lake, f.Path)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(path)
	if err != nil {
		return err
	}
	defer dst.Close()
	if _, err := dst.ReadFrom(src); err != nil {
		return fmt.Errorf("fetch %s: %w", f.Path, err)
	}
	if _, err := dst.Seek(0, 0); err != nil {
		return err
	}
	if h, _, err := survey.HashReader(dst); err != nil {
		return err
	} else if h != f.SHA256 {
		return survey.Errorf(survey.Invalid, "%s is not the file that the snapshot names", f.Path)
	}
	return dst.Close()
}

type cellsCheckCmd struct {
	settings
	foldSettings
	Out string `help:"Folder that keeps what lets the next check read only what is new; default: fold in the data folder." type:"path" placeholder:"DIR"`
}

func (cellsCheckCmd) Help() string {
	return "Proves that the cells in the state database are exactly what the published observations say. Stop workers first: a drive indexed meanwhile would show as a difference. `roadcomb cells rebuild` mends one."
}

func (c *cellsCheckCmd) Run(ctx context.Context, e *environ) error {
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		if err := p.exported(ctx); err != nil {
			return err
		}
		out := c.Out
		if out == "" {
			out = filepath.Join(c.Home, "fold")
		}
		r, err := p.checkCells(ctx, c.foldSettings, out)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "%d cells are what %d observations say; %d of %d days read\n", r.Cells, r.Observations, r.Read, r.Parts)
		return nil
	})
}

// errMoved says that a check could not tell, because the cells or the lake moved on meanwhile.
var errMoved = survey.Errorf(survey.Conflict, "a drive was indexed or exported while the cells were checked").WithHint("try again")

// checkCells folds the lake into the folder out and compares the live cells with it. A difference is an exit; errMoved is
// no difference. The lake must have all changes at the beginning.
func (p *platform) checkCells(ctx context.Context, s foldSettings, out string) (fold.Result, error) {
	before, err := p.snapshot(ctx)
	if err != nil {
		return fold.Result{}, err
	}
	r, err := p.foldLake(ctx, s, out)
	if err != nil {
		return r, err
	}
	differ, first, err := compareCells(ctx, p, fold.Rows(out))
	if err != nil || differ == 0 {
		return r, err
	}
	left, err := state.Changes(ctx, p.db, "datasets")
	if err != nil {
		return r, err
	}
	if after, err := p.snapshot(ctx); err != nil {
		return r, err
	} else if len(left) > 0 || !reflect.DeepEqual(before.Datasets[schema.Observations.Name].Files, after.Datasets[schema.Observations.Name].Files) {
		return r, errMoved
	}
	return r, exit{ExitInternal, fmt.Sprintf("%d cells differ from the observations of the lake, the first is %s; `roadcomb cells rebuild` recomputes them", differ, first)}
}

// checkCellsOnce is the check that a running network makes each day: done says that it need not try again today.
func (p *platform) checkCellsOnce(ctx context.Context, s foldSettings) (done bool, err error) {
	if left, err := state.Changes(ctx, p.db, "datasets"); err != nil || len(left) > 0 {
		return false, err
	}
	r, err := p.checkCells(ctx, s, filepath.Join(p.set.Home, "fold"))
	switch {
	case errors.Is(err, errMoved):
		return false, nil
	case survey.KindOf(err) == survey.NotFound: // nothing exported yet, or nothing observed
		return false, nil
	case err != nil:
		return true, err
	}
	p.log.Info("the cells are what the lake's observations say", "cells", r.Cells, "observations", r.Observations, "read", r.Read, "partitions", r.Parts)
	return true, nil
}

// compareCells walks the live base cells and the folded ones side by side.
func compareCells(ctx context.Context, p *platform, folded iter.Seq2[cells.Row, error]) (differ int, first survey.Cell, err error) {
	next, stop := iter.Pull2(folded)
	defer stop()
	want, werr, more := next()
	note := func(c survey.Cell) {
		if differ++; differ == 1 {
			first = c
		}
	}
	err = cells.Each(ctx, p.db, resolution, func(live cells.Row) error {
		for more && werr == nil && want.Cell < live.Cell {
			note(want.Cell)
			want, werr, more = next()
		}
		if werr != nil {
			return werr
		}
		if !more || want.Cell != live.Cell {
			note(live.Cell)
			return nil
		}
		if want != live {
			note(live.Cell)
		}
		want, werr, more = next()
		return nil
	})
	for ; err == nil && more; want, werr, more = next() {
		if err = werr; err == nil {
			note(want.Cell)
		}
	}
	return differ, first, err
}
