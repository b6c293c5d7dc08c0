package schema

import (
	"fmt"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/lake"
)

// Described is a dataset with its columns, for documents and clients.
type Described struct {
	lake.Schema
	Partition string // how its files are split
	Columns   []lake.Column
}

// All describes every dataset, in the order of SCHEMA.md.
func All() ([]Described, error) {
	var out []Described
	var failed error
	add := func(s lake.Schema, partition string, cols []lake.Column, err error) {
		if err != nil && failed == nil {
			failed = err
		}
		out = append(out, Described{s, partition, cols})
	}
	const dayAndArea = "`date=YYYY-MM-DD` of capture, then `h3_r4=` (the H3 ancestor at resolution 4)"
	cols, err := lake.Columns[Frame]()
	add(Frames, dayAndArea, cols, err)
	cols, err = lake.Columns[Observation]()
	add(Observations, dayAndArea, cols, err)
	cols, err = lake.Columns[Drive]()
	add(Drives, "`date=` of the drive's first frame", cols, err)
	cols, err = lake.Columns[Cell]()
	add(Cells, "`date=` of the snapshot, then `h3_r4=`", cols, err)
	cols, err = lake.Columns[Rejection]()
	add(Rejections, "`date=` of receipt", cols, err)
	cols, err = lake.Columns[Finding]()
	add(Findings, "`date=` of the drive's first frame", cols, err)
	cols, err = lake.Columns[Feature]()
	add(Features, "`h3_r4=`", cols, err)
	cols, err = lake.Columns[Epoch]()
	add(Epochs, "`epoch=`", cols, err)
	cols, err = lake.Columns[Allocation]()
	add(Allocations, "`epoch=`", cols, err)
	cols, err = lake.Columns[Contribution]()
	add(Contributions, "`epoch=`", cols, err)
	cols, err = lake.Columns[Use]()
	add(Usage, "`date=`", cols, err)
	return out, failed
}

// Markdown is datasets/SCHEMA.md.
func Markdown() (string, error) {
	all, err := All()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`# Datasets

Generated from ` + "`datasets/schema`" + `; a test keeps the two equal. Files are Parquet (zstd), GeoParquet 1.1 where there is a
` + "`geometry`" + `, sorted by cell and time where there is a cell, immutable, and named by their content. ` + "`snapshot.json`" + ` names the
files that together are one consistent state, with rows, bytes, SHA-256, CIDv1 and schema version of each; it is written last. A week after a month has ended its days become one partition,
` + "`date=2024-05`" + `, with the same rows. Files that no snapshot names are removed a week later; of ` + "`cells`" + ` older than 35 days the Mondays are kept.

Columns are only ever added, never renamed or retyped; a change raises the version. Times are UTC in microseconds, H3 cells
int64 and hex text, positions WGS 84 in lon, lat order, amounts integers of 10^-9 token. Contributor and device ids are
pseudonyms. File names, accounts, payout addresses, and positions inside privacy zones or trimmed ends are in no dataset.

## Is it whole, and ours

` + "`snapshot.json`" + ` is signed with the network's Ed25519 key. The signature lies beside it, ` + "`snapshot.json.sig`" + ` in a folder; in the lake
bucket the object ` + "`snapshot.json`" + ` names the manifest (` + "`snapshot`" + `) and its signature (` + "`signature`" + `). It is JSON:
` + "`{\"format\": \"roadcomb-signature/1\", \"sha256\": hex, \"key\": base64, \"signature\": base64}`" + `. What is signed is the text ` + "`roadcomb-snapshot/1`" + `, a line
feed, and the SHA-256 of the manifest's bytes in lower-case hex: the bytes as they lie there, nothing is parsed first. The manifest holds
the SHA-256 of every file, so that one signature covers every byte of the datasets. ` + "`roadcomb datasets verify --data DIR --key KEY`" + ` checks all
of it, ` + "`roadcomb datasets key`" + ` prints a network's key, and ` + "`datasets/interop/signature.py`" + ` does the same in twenty lines of Python.

## As Iceberg tables

` + "`roadcomb-iceberg`" + ` (once, or ` + "`--every 1m`" + `) registers the files of the current snapshot as Apache Iceberg tables (version 2), one for each
dataset, without copying: ` + "`frames/metadata/`" + ` beside ` + "`frames/v1/`" + ` holds ` + "`v1.metadata.json`" + `, ` + "`v2.metadata.json`" + `, … and ` + "`version-hint.text`" + `, as
Iceberg's file-system (Hadoop) catalogs do; the warehouse is the lake's root. A table changes in one commit from the files of one snapshot to those
of another; the property ` + "`roadcomb.snapshot`" + ` of its snapshots is the SHA-256 of the manifest. Tables are committed one by one: compare that property
where two are joined. States of the last week can be read too; the rows of older ones are gone. Columns are mapped by name
(` + "`schema.name-mapping.default`" + `); geometries are WKB in binary columns; tables are not partitioned, the bounds of each file's columns let engines skip
it. The tables are read-only: ` + "`gc.enabled`" + ` is false, and what another writer adds is taken out by the next run. A network registers its bucket
(` + "`s3://lake/frames`" + `), ` + "`roadcomb-iceberg --data DIR/datasets`" + ` a folder, whose tables hold its absolute path.

` + "```" + `
ClickHouse   SELECT count() FROM icebergS3('http://127.0.0.1:9000/lake/frames/', KEY, SECRET)      -- icebergLocal('/…/datasets/frames/')
pyiceberg    StaticTable.from_metadata('/…/datasets/frames/metadata/v2.metadata.json').scan().to_arrow()
Spark        catalog of type hadoop with warehouse s3a://lake/, which is not part of the tests: it needs a jar from elsewhere
` + "```" + `
`)
	for _, d := range all {
		fmt.Fprintf(&b, "\n## %s, version %d\n\n%s Partitioned by %s.\n\n| column | type | unit | null | what |\n|---|---|---|---|---|\n", d.Name, d.Version, d.Doc, d.Partition)
		for _, c := range d.Columns {
			null := ""
			if c.Nullable {
				null = "yes"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.Name, c.Type, c.Unit, null, c.Doc)
		}
	}
	return b.String(), nil
}
