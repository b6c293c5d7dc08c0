package operators

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Entry is one line of the audit log. Hash is the SHA-256 of the JSON array
//
//	[seq, at in microseconds since 1970, actor, role, via, act, target, outcome, of, note, prev]
//
// where prev is the hash of the entry before ("" for the first), so that no entry can be changed, put in or taken out
// without changing every later hash. Whoever keeps a head (seq and hash) elsewhere can also tell that none was cut off.
type Entry struct {
	Seq     int64      `json:"seq"`
	At      time.Time  `json:"at"`
	Actor   string     `json:"actor"`
	Role    httpx.Role `json:"role"`
	Via     string     `json:"via" doc:"How the operator showed who they are: session, token, oidc, root, shell."`
	Act     string     `json:"act"`
	Target  string     `json:"target,omitempty"`
	Outcome string     `json:"outcome" doc:"begun; then, in an entry of its own, an HTTP status or done or failed."`
	Of      int64      `json:"of,omitempty" doc:"The entry that says that the act began."`
	Note    string     `json:"note,omitempty"`
	Prev    string     `json:"prev,omitempty"`
	Hash    string     `json:"hash"`
}

func (e Entry) hash() string {
	b, err := json.Marshal([]any{e.Seq, state.Micros(e.At), e.Actor, e.Role, e.Via, e.Act, e.Target, e.Outcome, e.Of, e.Note, e.Prev})
	if err != nil {
		panic(err) // strings and integers always encode
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Head is where the audit log stands.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// CurrentHead is the head as the database has it; the zero Head before the first act.
func CurrentHead(ctx context.Context, q state.Querier) (h Head, err error) {
	err = q.QueryRow(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`).Scan(&h.Seq, &h.Hash)
	return h, err
}

// Begin writes that an act begins; end writes how it ended. When the second cannot be written, the entry of the first
// stands alone, which verification reports as an act without an end.
func (o *Operators) Begin(ctx context.Context, by httpx.Actor, act httpx.Act) (end func(outcome, note string), err error) {
	e := Entry{Actor: by.Name, Role: by.Role, Via: by.Via, Act: act.Name, Target: act.Target, Outcome: "begun"}
	begun, err := o.append(ctx, e)
	if err != nil {
		return nil, err
	}
	return func(outcome, note string) {
		e.Outcome, e.Note, e.Of = outcome, note, begun
		// The act happened, whether or not its client still listens.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if _, err := o.append(ctx, e); err != nil {
			o.Log.ErrorContext(ctx, "audit log: the end of an act is missing", "seq", begun, "outcome", outcome, "err", err)
		}
	}, nil
}

// Do runs fn as an act of by, written down before and after.
func (o *Operators) Do(ctx context.Context, by httpx.Actor, act httpx.Act, fn func() (note string, err error)) error {
	end, err := o.Begin(ctx, by, act)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	out, note := "panic", ""
	defer func() { end(out, note) }()
	note, err = fn()
	out = outcome(err)
	return err
}

func (o *Operators) append(ctx context.Context, e Entry) (seq int64, err error) {
	for _, s := range []*string{&e.Actor, &e.Act, &e.Target, &e.Note} {
		if len(*s) > 2000 {
			*s = (*s)[:2000]
		}
		// PostgreSQL holds no NUL and only UTF-8; the hash must be of what is kept.
		*s = clean(*s)
	}
	err = o.db.Tx(ctx, func(tx *state.Tx) error {
		// The update comes first: it is what makes two writers wait for each other.
		if _, err := tx.Exec(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`).Scan(&e.Seq, &e.Prev); err != nil {
			return err
		}
		e.At = o.Clock().UTC().Truncate(time.Microsecond)
		e.Hash = e.hash()
		if _, err := tx.Exec(ctx, `INSERT INTO audit (seq, at, actor, role, via, act, target, outcome, of_seq, note, prev, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			e.Seq, state.Micros(e.At), e.Actor, string(e.Role), e.Via, e.Act, e.Target, e.Outcome, e.Of, e.Note, e.Prev, e.Hash); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE audit_head SET hash = $1 WHERE id = 1`, e.Hash)
		return err
	})
	return e.Seq, err
}

// Entries gives up to limit entries after a sequence number, in order.
func Entries(ctx context.Context, q state.Querier, after int64, limit int) ([]Entry, error) {
	rows, err := q.Query(ctx, `SELECT seq, at, actor, role, via, act, target, outcome, of_seq, note, prev, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Entry{}
	for rows.Next() {
		var e Entry
		var at int64
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Role, &e.Via, &e.Act, &e.Target, &e.Outcome, &e.Of, &e.Note, &e.Prev, &e.Hash); err != nil {
			return nil, err
		}
		e.At = state.Time(at)
		out = append(out, e)
	}
	return out, rows.Err()
}

// Verify recomputes the chain from its first entry to the head and gives the head. known are heads that were kept
// elsewhere; each must be in the chain. unended are acts that began and never ended: a crash, or a lost database.
func Verify(ctx context.Context, q state.Querier, known ...Head) (head Head, unended []int64, err error) {
	broken := func(seq int64, format string, args ...any) error {
		return survey.Errorf(survey.Conflict, "audit log, entry %d: %s", seq, fmt.Sprintf(format, args...)).
			WithHint("entries were changed outside of the program; compare with a backup")
	}
	want := map[int64]string{}
	for _, h := range known {
		if was, ok := want[h.Seq]; ok && was != h.Hash {
			return head, nil, broken(h.Seq, "two heads kept elsewhere differ")
		}
		want[h.Seq] = h.Hash
	}
	open := map[int64]bool{}
	for {
		es, err := Entries(ctx, q, head.Seq, 1000)
		if err != nil {
			return head, nil, err
		}
		for _, e := range es {
			switch {
			case e.Seq != head.Seq+1:
				return head, nil, broken(head.Seq+1, "is missing")
			case e.Prev != head.Hash:
				return head, nil, broken(e.Seq, "does not follow from the one before")
			case e.hash() != e.Hash:
				return head, nil, broken(e.Seq, "does not match its hash")
			}
			if h, ok := want[e.Seq]; ok && h != e.Hash {
				return head, nil, broken(e.Seq, "is not the one that was kept elsewhere")
			}
			delete(want, e.Seq)
			head = Head{e.Seq, e.Hash}
			if e.Of == 0 {
				open[e.Seq] = true
			}
			delete(open, e.Of)
		}
		if len(es) == 0 {
			break
		}
	}
	kept, err := CurrentHead(ctx, q)
	if err != nil {
		return head, nil, err
	}
	if kept != head {
		return head, nil, broken(kept.Seq, "is the head, but the log ends with entry %d", head.Seq)
	}
	for seq := range want {
		return head, nil, broken(seq, "was kept elsewhere, but the log ends with entry %d", head.Seq)
	}
	return head, sorted(open), nil
}

func sorted(set map[int64]bool) []int64 { return slices.Sorted(maps.Keys(set)) }

func clean(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "�") }
