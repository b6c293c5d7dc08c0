package iceberg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const hintFile = "version-hint.text"

// catalog is one table's metadata in the lake, as Iceberg's file-system catalogs lay it out.
type catalog struct {
	lake Lake
	name string
}

func (c *catalog) dir() string { return c.name + "/metadata/" }

func (c *catalog) file(version int) string {
	return c.dir() + "v" + strconv.Itoa(version) + ".metadata.json"
}

// versionOf is the number in v12.metadata.json, 0 for another name.
func versionOf(file string) int {
	n, ok := strings.CutSuffix(strings.TrimPrefix(file, "v"), ".metadata.json")
	v, err := strconv.Atoi(n)
	if !ok || err != nil || v < 1 {
		return 0
	}
	return v
}

// newest is the number of the current version, 0 for none. It is found by looking, because a writer may die before it
// gives the hint.
func (c *catalog) newest(ctx context.Context) (int, error) {
	v := 0
	err := c.lake.List(ctx, c.dir(), func(f Info) error {
		v = max(v, versionOf(path.Base(f.Name)))
		return nil
	})
	return v, err
}

func (c *catalog) io(ctx context.Context) iceio.WriteFileIO { return files{ctx, c.lake} }

// LoadTable reads the current version; NotFound when there is none. The table is always c's.
func (c *catalog) LoadTable(ctx context.Context, id table.Identifier) (*table.Table, error) {
	v, err := c.newest(ctx)
	if err != nil {
		return nil, err
	}
	if v == 0 {
		return nil, survey.Errorf(survey.NotFound, "there is no table %s", c.name)
	}
	b, err := c.io(ctx).(files).ReadFile(c.lake.URI(c.file(v)))
	if err != nil {
		return nil, err
	}
	meta, err := table.ParseMetadataBytes(b)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "%s: %w", c.file(v), err)
	}
	if at := c.lake.URI(c.name); meta.Location() != at {
		return nil, survey.Errorf(survey.Conflict, "the table was made for %s and lies in %s", meta.Location(), at).WithHint("Iceberg names files by their whole address: remove the folder %s and register the files anew", c.dir())
	}
	return table.New(id, meta, c.lake.URI(c.file(v)), func(ctx context.Context) (iceio.IO, error) { return c.io(ctx), nil }, c), nil
}

// CommitTable is called by the library's transactions.
func (c *catalog) CommitTable(ctx context.Context, id table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	tbl, err := c.LoadTable(ctx, id)
	if err != nil {
		return nil, "", err
	}
	for _, r := range reqs {
		if err := r.Validate(tbl.Metadata()); err != nil {
			return nil, "", fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
	}
	return c.commit(ctx, tbl, updates)
}

// commit makes the version after tbl's, unless somebody has made it.
func (c *catalog) commit(ctx context.Context, tbl *table.Table, updates []table.Update) (table.Metadata, string, error) {
	meta, err := table.UpdateTableMetadata(tbl.Metadata(), updates, tbl.MetadataLocation())
	if err != nil {
		return nil, "", err
	}
	v := versionOf(path.Base(tbl.MetadataLocation())) + 1
	if err := c.write(ctx, v, meta); err != nil {
		if errors.Is(err, errRaced) {
			err = fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
		return nil, "", err
	}
	return meta, c.lake.URI(c.file(v)), nil
}

func (c *catalog) write(ctx context.Context, version int, meta table.Metadata) error {
	b, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	err = c.lake.Create(ctx, c.file(version), b)
	if errors.Is(err, store.ErrExists) {
		return errRaced
	}
	return err
}

// hint writes which version is current, for readers that do not look. A hint that lags names an older state, whole.
func (c *catalog) hint(ctx context.Context, metadata string) error {
	want := []byte(strconv.Itoa(versionOf(path.Base(metadata))))
	have, err := c.io(ctx).(files).ReadFile(c.lake.URI(c.dir() + hintFile))
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.lake.Put(ctx, c.dir()+hintFile, want)
}
