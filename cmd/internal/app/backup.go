package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// backupManifest is backup.json, written last: a folder without it is no backup.
type backupManifest struct {
	Format   int              `json:"format"` // 1
	MadeAt   time.Time        `json:"made_at"`
	Roadcomb string           `json:"roadcomb"`
	Audit    operators.Head   `json:"audit_head"` // of the state when the backup began, or later
	Rows     map[string]int64 `json:"rows"`       // of the restored state, by table
	Files    []backupFile     `json:"files"`
}

type backupFile struct {
	Path   string      `json:"path"` // below the folder
	Bytes  int64       `json:"bytes"`
	SHA256 survey.Hash `json:"sha256"`
	// Of an object of the store.
	Bucket store.Bucket `json:"bucket,omitempty"`
	Key    string       `json:"key,omitempty"`
	Type   string       `json:"type,omitempty"`
}

const backupName = "backup.json"

type backupCmd struct {
	settings
	Dir     string `arg:"" help:"Folder to make; it must not hold anything." type:"path"`
	Objects bool   `help:"Also the objects of all four buckets, originals among them."`
}

func (backupCmd) Help() string {
	return `Copies the state as of one instant, and the secrets of the data folder, while the network runs; with --objects also what lies in the object store. Each file's SHA-256 is in backup.json, which is written last.

The folder holds what the network holds: keep it as safe. Without --objects, back up the object store by its own means, after this: what the state names is then in it.`
}

func (c *backupCmd) Run(ctx context.Context, e *environ) error {
	if entries, err := os.ReadDir(c.Dir); err == nil && len(entries) > 0 {
		return survey.Errorf(survey.Conflict, "%s holds something", c.Dir).WithHint("name a folder that does not exist")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return survey.Errorf(survey.Unavailable, "backup folder: %w", err)
	}
	db, err := state.Open(ctx, c.database(), e.log)
	if err != nil {
		return err
	}
	defer db.Close()
	return audited(ctx, e, db, "backup", "", func() (string, error) {
		m, err := c.make(ctx, e, db)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(e.stdout, "%d files, %d bytes in %s\n", len(m.Files), m.bytes(), c.Dir)
		return fmt.Sprintf("files=%d, objects=%v", len(m.Files), c.Objects), nil
	})
}

func (m backupManifest) bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

func (c *backupCmd) make(ctx context.Context, e *environ, db *state.DB) (m backupManifest, err error) {
	m = backupManifest{Format: 1, MadeAt: time.Now().UTC().Truncate(time.Second), Roadcomb: Version}
	if m.Audit, _, err = operators.Verify(ctx, db); err != nil {
		return m, err
	}
	if err := db.Backup(ctx, c.database(), filepath.Join(c.Dir, db.BackupName())); err != nil {
		return m, err
	}
	add := func(f backupFile) error {
		f.Bytes, f.SHA256, err = hashFile(filepath.Join(c.Dir, f.Path))
		m.Files = append(m.Files, f)
		return err
	}
	if err := add(backupFile{Path: db.BackupName()}); err != nil {
		return m, err
	}
	if !db.Postgres() {
		// Count in the copy: the network has gone on.
		copyOf, err := state.Open(ctx, "sqlite:"+filepath.Join(c.Dir, db.BackupName()), e.log)
		if err != nil {
			return m, err
		}
		m.Rows, err = copyOf.Counts(ctx)
		if err = errors.Join(err, copyOf.Close()); err != nil {
			return m, err
		}
		// Opening it may have written to it.
		for _, x := range []string{"-wal", "-shm"} {
			os.Remove(filepath.Join(c.Dir, db.BackupName()+x))
		}
		if m.Files[0].Bytes, m.Files[0].SHA256, err = hashFile(filepath.Join(c.Dir, db.BackupName())); err != nil {
			return m, err
		}
	}
	if b, err := os.ReadFile(filepath.Join(c.Home, "secrets.json")); err == nil {
		if err := os.WriteFile(filepath.Join(c.Dir, "secrets.json"), b, 0o600); err != nil {
			return m, err
		}
		if err := add(backupFile{Path: "secrets.json"}); err != nil {
			return m, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if c.Objects {
		// After the state: whatever it names was written before.
		if err := withStore(ctx, c.settings, e, func(s *store.Store) error { return backupObjects(ctx, s, c.Dir, add) }); err != nil {
			return m, err
		}
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return m, err
	}
	return m, writeFileAtomic(filepath.Join(c.Dir, backupName), b, 0o600)
}

// withStore opens the object store that the settings name. The embedded one answers where a running network has it.
func withStore(ctx context.Context, set settings, e *environ, fn func(*store.Store) error) error {
	if set.S3 == "" {
		sec, err := loadSecrets(set.Home)
		if err != nil {
			return err
		}
		conn, err := net.DialTimeout("tcp", set.S3Listen, time.Second)
		if err != nil { // no network runs: start its store
			return withPlatform(ctx, set, e, func(p *platform) error { return fn(p.store) })
		}
		conn.Close()
		set.S3, set.S3Key, set.S3Secret = "http://"+set.S3Listen, sec.S3Key, sec.S3Secret
	}
	s, err := store.Open(ctx, store.Config{Endpoint: set.S3, AccessKey: set.S3Key, SecretKey: set.S3Secret, Region: set.S3Region, Prefix: set.S3Prefix})
	if err != nil {
		return err
	}
	defer s.Close()
	return fn(s)
}

func backupObjects(ctx context.Context, s *store.Store, dir string, add func(backupFile) error) error {
	for _, b := range store.Buckets {
		n := 0
		err := s.List(ctx, b, "", func(i store.Info) error {
			o, at, err := s.Open(ctx, b, i.Key)
			if survey.KindOf(err) == survey.NotFound {
				return nil // expired or swept since it was listed
			}
			if err != nil {
				return err
			}
			defer o.Close()
			// Numbered: a key may hold what a file's name may not.
			n++
			f := backupFile{Path: fmt.Sprintf("objects/%s/%06d/%03d", b, n/1000, n%1000), Bucket: b, Key: i.Key, Type: at.Type}
			to := filepath.Join(dir, f.Path)
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				return err
			}
			if err := writeFrom(to, o); err != nil {
				return fmt.Errorf("object %s/%s: %w", b, i.Key, err)
			}
			return add(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeFrom(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func hashFile(path string) (n int64, sum survey.Hash, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close()
	h := sha256.New()
	if n, err = io.Copy(h, f); err != nil {
		return n, sum, err
	}
	sum, err = survey.ParseHash(hex.EncodeToString(h.Sum(nil)))
	return n, sum, err
}

type restoreCmd struct {
	settings
	Dir   string `arg:"" help:"Folder that backup made." type:"path"`
	Check bool   `help:"Only compare every file with backup.json; restore nothing."`
}

func (restoreCmd) Help() string {
	return "Puts a backup where --home, --state and --s3 say, after every file was compared with its SHA-256. It overwrites nothing: the data folder, the database and the buckets must be empty. Then it compares rows, audit log and objects with what the backup says."
}

func (c *restoreCmd) Run(ctx context.Context, e *environ) error {
	m, err := readBackup(c.Dir)
	if err != nil {
		return err
	}
	if c.Check {
		fmt.Fprintf(e.stdout, "%d files are as they were on %s\n", len(m.Files), m.MadeAt.Format(time.RFC3339))
		return nil
	}
	name := "state.db"
	if c.State != "" {
		name = "state.pgdump"
	}
	dump := filepath.Join(c.Dir, name)
	if _, err := os.Stat(dump); err != nil {
		return survey.Errorf(survey.Unsupported, "the backup holds no %s", name).WithHint("a backup of SQLite is restored without --state, one of PostgreSQL with it")
	}
	secrets := filepath.Join(c.Home, "secrets.json")
	if _, err := os.Lstat(secrets); !errors.Is(err, fs.ErrNotExist) {
		return survey.Errorf(survey.Conflict, "%s exists", secrets).WithHint("restore into a new --home")
	}
	if err := state.Restore(ctx, c.database(), dump); err != nil {
		return err
	}
	if b, err := os.ReadFile(filepath.Join(c.Dir, "secrets.json")); err == nil {
		if err := os.MkdirAll(c.Home, 0o700); err != nil {
			return survey.Errorf(survey.Unavailable, "data folder: %w", err)
		}
		if err := writeFileAtomic(secrets, b, 0o600); err != nil {
			return err
		}
	}
	if err := c.restoreObjects(ctx, e, m); err != nil {
		return err
	}
	db, err := state.Open(ctx, c.database(), e.log)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, _, err := operators.Verify(ctx, db, m.Audit); err != nil {
		return err
	}
	rows, err := db.Counts(ctx)
	if err != nil {
		return err
	}
	for t, want := range m.Rows {
		if t != "goose_db_version" && rows[t] != want { // a newer release has migrated it
			return survey.Errorf(survey.Conflict, "table %s has %d rows, the backup says %d", t, rows[t], want)
		}
	}
	return audited(ctx, e, db, "restore", "", func() (string, error) {
		fmt.Fprintf(e.stdout, "restored %d files of %s\n", len(m.Files), m.MadeAt.Format(time.RFC3339))
		return "made_at=" + m.MadeAt.Format(time.RFC3339), nil
	})
}

// readBackup compares every file of the folder with the manifest before anything is believed.
func readBackup(dir string) (m backupManifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, backupName))
	if err != nil {
		return m, survey.Errorf(survey.NotFound, "%s is no backup: %w", dir, err).WithHint("backup.json is written last; without it the backup was not finished")
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, survey.Errorf(survey.Invalid, "%s: %w", backupName, err)
	}
	if m.Format != 1 {
		return m, survey.Errorf(survey.Unsupported, "%s has format %d", backupName, m.Format).WithHint("restore it with the release that made it (%s) or a newer one", m.Roadcomb)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Path) {
			return m, survey.Errorf(survey.Invalid, "%s names %q, which is not in the folder", backupName, f.Path)
		}
		n, sum, err := hashFile(filepath.Join(dir, f.Path))
		if err != nil {
			return m, survey.Errorf(survey.NotFound, "backup: %w", err)
		}
		if n != f.Bytes || sum != f.SHA256 {
			return m, survey.Errorf(survey.Invalid, "%s is not what was backed up: %d bytes, SHA-256 %s; want %d, %s", f.Path, n, sum, f.Bytes, f.SHA256)
		}
	}
	return m, nil
}

func (c *restoreCmd) restoreObjects(ctx context.Context, e *environ, m backupManifest) error {
	if !slices.ContainsFunc(m.Files, func(f backupFile) bool { return f.Bucket != "" }) {
		return nil
	}
	return withStore(ctx, c.settings, e, func(s *store.Store) error {
		for _, b := range store.Buckets {
			held := errors.New("held")
			if err := s.List(ctx, b, "", func(i store.Info) error { return held }); errors.Is(err, held) {
				return survey.Errorf(survey.Conflict, "bucket %s holds objects", b).WithHint("restore into an empty store, or set --s3-prefix")
			} else if err != nil {
				return err
			}
		}
		for _, f := range m.Files {
			if f.Bucket == "" {
				continue
			}
			in, err := os.Open(filepath.Join(c.Dir, f.Path))
			if err != nil {
				return err
			}
			_, err = s.PutReader(ctx, f.Bucket, f.Key, in, f.Bytes, f.Type)
			in.Close()
			if err != nil {
				return fmt.Errorf("object %s/%s: %w", f.Bucket, f.Key, err)
			}
		}
		return nil
	})
}
