// Package iceberg registers the published files of a snapshot as Apache Iceberg tables, one for each dataset: no row is
// copied, an engine that speaks Iceberg reads the same Parquet that everyone else does.
//
// A table lies where its files are: LAKE/frames/v1/…parquet are the rows, LAKE/frames/metadata/ holds the table, laid out
// as Iceberg's file-system catalogs do it: v1.metadata.json, v2.metadata.json, …, and version-hint.text with the newest
// number. Version n+1 is created only if it is not there, so that of two writers one wins, and the other begins again from
// what the first left. A table changes in one commit to exactly the files of a snapshot, whatever it had before; a crash at
// any point leaves the table as it was, and bytes that nothing names, which are removed later.
//
// The files hold no field ids; schema.name-mapping.default of each table maps their columns by name. No table is
// partitioned: partitions of the lake are days or months, which no transform of Iceberg gives. The least and greatest
// value of each column in each file let engines leave out files all the same.
//
// The package reads Parquet with a library that cannot share a program with the one that pkg/lake writes with; it and
// what imports it import nothing that imports pkg/lake.
package iceberg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	ice "github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Keys of a table's snapshots: the manifest they were made from, and the instant it is of.
const (
	SnapshotKey = "roadcomb.snapshot" // SHA-256 of the manifest
	AsOfKey     = "roadcomb.as-of"
)

// versionKey is a table's property: the newest schema version whose columns it has.
const versionKey = "roadcomb.schema-version"

// Tables keeps the tables of a lake. One may be used by one goroutine at a time; several, also in other processes, may
// keep the same lake.
type Tables struct {
	Lake Lake
	Log  *slog.Logger
	// Clock tells what is old; nil means time.Now.
	Clock func() time.Time
	// Keep is how long a table's replaced states stay readable; 0 means a week, which is also how long the lake keeps
	// replaced files.
	Keep time.Duration
}

// Change is what Sync did to one table.
type Change struct {
	Dataset  string `json:"dataset"`
	Metadata string `json:"metadata"` // address of the table's current metadata
	Files    int    `json:"files"`
	Rows     int64  `json:"rows"`
	Added    int    `json:"added"`
	Removed  int    `json:"removed"`
}

// tries is how often a table is begun again when other writers are faster.
const tries = 5

// Sync makes the tables those of a snapshot, whose bytes are manifest, and tells what it did to each in alphabetical
// order. A dataset that is in no table and has no files gets none.
//
// A file that is not Parquet, or has other rows or another size than the manifest says, is Invalid; its table stays as it
// was, and the other tables are brought up to date all the same.
func (t *Tables) Sync(ctx context.Context, snap snapshot.Snapshot, manifest []byte) ([]Change, error) {
	id := survey.HashOf(manifest).String()
	names := snap.Names()
	have, err := t.names(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range have {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var out []Change
	var failed []error
	for _, name := range names {
		c, err := t.sync(ctx, name, snap, id)
		for n := 1; errors.Is(err, errRaced) && n < tries; n++ {
			c, err = t.sync(ctx, name, snap, id)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("table %s: %w", name, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if c != nil {
			out = append(out, *c)
		}
	}
	return out, errors.Join(failed...)
}

// names lists the datasets that have a table.
func (t *Tables) names(ctx context.Context) ([]string, error) {
	var out []string
	err := t.Lake.List(ctx, "", func(f Info) error {
		dir, file, _ := strings.Cut(f.Name, "/metadata/")
		if versionOf(file) > 0 && !strings.Contains(dir, "/") && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
		return nil
	})
	return out, err
}

func (t *Tables) now() time.Time {
	if t.Clock != nil {
		return t.Clock()
	}
	return time.Now()
}

func (t *Tables) keep() time.Duration {
	if t.Keep > 0 {
		return t.Keep
	}
	return 7 * 24 * time.Hour
}

func (t *Tables) sync(ctx context.Context, name string, snap snapshot.Snapshot, id string) (*Change, error) {
	want := snap.Datasets[name]
	if err := check(name, want); err != nil {
		return nil, err
	}
	c := &catalog{lake: t.Lake, name: name}
	tbl, err := c.LoadTable(ctx, table.Identifier{name})
	if survey.KindOf(err) == survey.NotFound {
		if len(want.Files) == 0 {
			return nil, nil
		}
		tbl, err = t.create(ctx, c, want)
	}
	if err != nil {
		return nil, err
	}
	if tbl, err = t.evolve(ctx, c, tbl, want); err != nil {
		return nil, err
	}
	have, err := t.files(ctx, tbl)
	if err != nil {
		return nil, err
	}
	out := &Change{Dataset: name, Files: len(want.Files), Rows: want.Rows}
	fs := c.io(ctx)
	var add, remove []ice.DataFile
	named := map[string]bool{}
	for _, f := range want.Files {
		uri := t.Lake.URI(f.Path)
		named[uri] = true
		if _, ok := have[uri]; ok {
			continue
		}
		df, err := table.FileToDataFile(ctx, fs, uri, tbl.Schema(), tbl.Spec(), 0, tbl.Properties())
		if err != nil {
			return nil, survey.Errorf(survey.Invalid, "%s: %w", f.Path, err).WithHint("the object is damaged or of another writer: restore it, or have the partition exported again; the table stays as it was")
		}
		if df.Count() != f.Rows || df.FileSizeBytes() != f.Bytes {
			return nil, survey.Errorf(survey.Invalid, "%s has %d rows in %d bytes, the manifest says %d in %d", f.Path, df.Count(), df.FileSizeBytes(), f.Rows, f.Bytes).
				WithHint("restore the object, or have the partition exported again; the table stays as it was")
		}
		add = append(add, df)
	}
	for uri, df := range have {
		if !named[uri] {
			remove = append(remove, df)
		}
	}
	slices.SortFunc(remove, func(a, b ice.DataFile) int { return strings.Compare(a.FilePath(), b.FilePath()) })
	if out.Added, out.Removed = len(add), len(remove); out.Added+out.Removed > 0 {
		txn := tbl.NewTransaction()
		// Whoever committed since tbl was loaded may have added the same files: begin again rather than add them twice.
		if err := txn.AssertRefSnapshotID(table.MainBranch); err != nil {
			return nil, err
		}
		props := ice.Properties{SnapshotKey: id, AsOfKey: snap.AsOf.UTC().Format(time.RFC3339)}
		if err := txn.ReplaceDataFilesWithDataFiles(ctx, remove, add, props); err != nil {
			return nil, err
		}
		if tbl, err = commit(ctx, txn); err != nil {
			return nil, err
		}
	}
	if tbl, err = t.expire(ctx, c, tbl); err != nil {
		return nil, err
	}
	if err := c.hint(ctx, tbl.MetadataLocation()); err != nil {
		return nil, err
	}
	if err := t.sweep(ctx, c, tbl); err != nil {
		return nil, err
	}
	out.Metadata = tbl.MetadataLocation()
	return out, nil
}

// errRaced is of a writer that was slower than another.
var errRaced = survey.Errorf(survey.Busy, "another writer of the table was faster")

func commit(ctx context.Context, txn *table.Transaction) (*table.Table, error) {
	tbl, err := txn.Commit(ctx)
	if errors.Is(err, table.ErrCommitFailed) {
		return nil, errRaced
	}
	return tbl, err
}

// check refuses what no export writes.
func check(name string, d snapshot.Dataset) error {
	seen := map[string]bool{}
	for _, f := range d.Files {
		if !strings.HasPrefix(f.Path, name+"/") || strings.Contains(f.Path, "..") || !strings.HasSuffix(f.Path, ".parquet") {
			return survey.Errorf(survey.Invalid, "the manifest names %.80q, which is outside the dataset", f.Path)
		}
		if seen[f.Path] {
			return survey.Errorf(survey.Invalid, "the manifest names %s twice", f.Path)
		}
		seen[f.Path] = true
	}
	return nil
}

// properties of every table.
func properties() ice.Properties {
	return ice.Properties{
		"format-version":                     "2",
		table.ManifestMergeEnabledKey:        "true",
		table.MetadataPreviousVersionsMaxKey: "20",
		table.CommitNumRetriesKey:            "0", // a retry would add files that another writer has added
		// The rows belong to the lake, which removes them itself: no engine's clean-up may.
		table.GCEnabledKey: "false",
		"comment":          "Made by roadcomb-iceberg from the files of a snapshot; do not write to it.",
	}
}

// versions gives one file of each schema version, oldest first.
func versions(d snapshot.Dataset) []snapshot.File {
	by := map[int]snapshot.File{}
	for _, f := range d.Files {
		if _, ok := by[f.Version]; !ok {
			by[f.Version] = f
		}
	}
	var out []snapshot.File
	for _, f := range by {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b snapshot.File) int { return a.Version - b.Version })
	return out
}

func (t *Tables) create(ctx context.Context, c *catalog, d snapshot.Dataset) (*table.Table, error) {
	oldest := versions(d)[0]
	schema, err := t.schemaOf(ctx, c, oldest)
	if err != nil {
		return nil, err
	}
	props := properties()
	props[versionKey] = strconv.Itoa(oldest.Version)
	mapping, err := json.Marshal(schema.NameMapping())
	if err != nil {
		return nil, err
	}
	props[table.DefaultNameMappingKey] = string(mapping)
	meta, err := table.NewMetadata(schema, ice.UnpartitionedSpec, table.UnsortedSortOrder, t.Lake.URI(c.name), props)
	if err != nil {
		return nil, err
	}
	if err := c.write(ctx, 1, meta); err != nil {
		return nil, err
	}
	return c.LoadTable(ctx, table.Identifier{c.name})
}

// schemaOf is the schema of a file, with the sentences of its own description as docs.
func (t *Tables) schemaOf(ctx context.Context, c *catalog, f snapshot.File) (_ *ice.Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = survey.Errorf(survey.Invalid, "%s: damaged: %v", f.Path, p)
		}
	}()
	in, err := c.io(ctx).Open(t.Lake.URI(f.Path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	defer in.Close()
	bad := func(err error) error {
		return survey.Errorf(survey.Invalid, "%s: %w", f.Path, err).WithHint("the object is damaged or of another writer: restore it, or have the partition exported again")
	}
	r, err := file.NewParquetReader(in)
	if err != nil {
		return nil, bad(err)
	}
	defer r.Close()
	meta := r.MetaData()
	as, err := pqarrow.FromParquet(meta.Schema, nil, meta.KeyValueMetadata())
	if err != nil {
		return nil, bad(err)
	}
	schema, err := table.ArrowSchemaToIcebergWithFreshIDs(as, false)
	if err != nil {
		return nil, bad(err)
	}
	var about struct {
		Columns []struct{ Name, Unit, Doc string } `json:"columns"`
	}
	if v := meta.KeyValueMetadata().FindValue("roadcomb:schema"); v != nil {
		if err := json.Unmarshal([]byte(*v), &about); err != nil {
			return nil, bad(err)
		}
	}
	docs := map[string]string{}
	for _, col := range about.Columns {
		doc := col.Doc
		if col.Unit != "" {
			doc = strings.TrimSpace(doc + " (" + col.Unit + ")")
		}
		docs[col.Name] = doc
	}
	fields := schema.Fields()
	for i := range fields {
		fields[i].Doc = docs[fields[i].Name]
	}
	return ice.NewSchema(0, fields...), nil
}

// evolve adds the columns that came with later versions of the schema; older files lack them, so that they may be null.
func (t *Tables) evolve(ctx context.Context, c *catalog, tbl *table.Table, d snapshot.Dataset) (*table.Table, error) {
	for _, f := range versions(d) {
		if known, _ := strconv.Atoi(tbl.Properties()[versionKey]); f.Version <= known {
			continue
		}
		schema, err := t.schemaOf(ctx, c, f)
		if err != nil {
			return nil, err
		}
		txn := tbl.NewTransaction()
		up := table.NewUpdateSchema(txn, true, false)
		added := 0
		for _, col := range schema.Fields() {
			if _, ok := tbl.Schema().FindFieldByName(col.Name); !ok {
				up.AddColumn([]string{col.Name}, col.Type, col.Doc, false, nil)
				added++
			}
		}
		if added > 0 {
			if err := up.Commit(); err != nil {
				return nil, err
			}
			if tbl, err = commit(ctx, txn); err != nil {
				return nil, err
			}
			txn = tbl.NewTransaction()
		}
		mapping, err := json.Marshal(tbl.Schema().NameMapping())
		if err != nil {
			return nil, err
		}
		// Written after the columns, and together with the version: a crash between the two is mended by the next run.
		if err := txn.SetProperties(ice.Properties{table.DefaultNameMappingKey: string(mapping), versionKey: strconv.Itoa(f.Version)}); err != nil {
			return nil, err
		}
		if tbl, err = commit(ctx, txn); err != nil {
			return nil, err
		}
	}
	return tbl, nil
}

// files are the data files of a table's current state by their address.
func (t *Tables) files(ctx context.Context, tbl *table.Table) (map[string]ice.DataFile, error) {
	out := map[string]ice.DataFile{}
	s := tbl.CurrentSnapshot()
	if s == nil {
		return out, nil
	}
	fs, err := tbl.FS(ctx)
	if err != nil {
		return nil, err
	}
	ms, err := s.Manifests(fs)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, err
			}
			out[e.DataFile().FilePath()] = e.DataFile()
		}
	}
	return out, nil
}

// expire takes the states out of a table that were replaced longer ago than Keep. It removes no rows.
func (t *Tables) expire(ctx context.Context, c *catalog, tbl *table.Table) (*table.Table, error) {
	snaps := slices.Clone(tbl.Metadata().Snapshots())
	slices.SortFunc(snaps, func(a, b table.Snapshot) int { return int(a.SequenceNumber - b.SequenceNumber) })
	old := t.now().Add(-t.keep()).UnixMilli()
	var ids []int64
	for i := range len(snaps) - 1 {
		if snaps[i+1].TimestampMs < old {
			ids = append(ids, snaps[i].SnapshotID)
		}
	}
	if len(ids) == 0 {
		return tbl, nil
	}
	if _, _, err := c.commit(ctx, tbl, []table.Update{table.NewRemoveSnapshotsUpdate(ids, false)}); err != nil {
		return nil, err
	}
	return c.LoadTable(ctx, table.Identifier{c.name})
}

// sweep removes what lies in a table's metadata folder and nothing names: left by a crash, by a slower writer, or by a
// state that expired. What is younger than Keep may be of a writer at work.
func (t *Tables) sweep(ctx context.Context, c *catalog, tbl *table.Table) error {
	old := t.now().Add(-t.keep())
	var loose []string
	err := t.Lake.List(ctx, c.dir(), func(f Info) error {
		if f.Modified.Before(old) && !strings.HasSuffix(f.Name, "/"+hintFile) {
			loose = append(loose, f.Name)
		}
		return nil
	})
	if err != nil || len(loose) == 0 {
		return err
	}
	named := map[string]bool{tbl.MetadataLocation(): true}
	for l := range tbl.Metadata().PreviousFiles() {
		named[l.MetadataFile] = true
	}
	fs := c.io(ctx)
	for _, s := range tbl.Metadata().Snapshots() {
		named[s.ManifestList] = true
		ms, err := s.Manifests(fs)
		if err != nil {
			return err
		}
		for _, m := range ms {
			named[m.FilePath()] = true
		}
	}
	for _, f := range loose {
		if !named[t.Lake.URI(f)] {
			if err := t.Lake.Remove(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}
