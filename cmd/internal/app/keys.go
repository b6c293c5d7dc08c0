package app

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

type keysCmd struct {
	Limit  keysLimitCmd  `cmd:"" help:"Set what a key may use of the query engine."`
	Create keysCreateCmd `cmd:"" help:"Make a key; its secret is shown this once."`
	List   keysListCmd   `cmd:"" help:"List keys."`
	Revoke keysRevokeCmd `cmd:"" help:"Revoke a key at once."`
	Credit keysCreditCmd `cmd:"" help:"Add credits to a key, or take some away."`
}

// stateSettings say which database, for verbs that need nothing else.
type stateSettings struct {
	Home  string        `help:"Data folder of the embedded servers." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	State survey.Secret `help:"State database: a postgres:// URL; empty for SQLite in the data folder." env:"ROADCOMB_STATE" placeholder:"URL"`
}

func (s stateSettings) open(ctx context.Context, e *environ) (*state.DB, error) {
	return state.Open(ctx, settings{Home: s.Home, State: s.State}.database(), e.log)
}

// act runs fn on the database as an audited act.
func (s stateSettings) act(ctx context.Context, e *environ, name, target string, fn func(*state.DB) (note string, err error)) error {
	db, err := s.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	return audited(ctx, e, db, name, target, func() (string, error) { return fn(db) })
}

// day is the date of t; "" for none.
func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.DateOnly)
}

type keysCreateCmd struct {
	stateSettings
	Name      string        `arg:"" help:"Whose key it is."`
	Scopes    []keys.Scope  `help:"What it opens." default:"tiles,imagery"`
	Origins   []string      `help:"Web origins that may use it; none means all."`
	PerMinute int64         `help:"Requests a minute; 0 means the default."`
	PerDay    int64         `help:"Requests a day; 0 means the default."`
	Credits   int64         `help:"Credits to begin with."`
	Expires   time.Duration `help:"Life of the key; 0 means that it does not expire."`
}

func (c *keysCreateCmd) Run(ctx context.Context, e *environ) error {
	now := time.Now()
	o := keys.Options{Scopes: c.Scopes, Origins: c.Origins, PerMinute: c.PerMinute, PerDay: c.PerDay, Credits: c.Credits}
	if c.Expires > 0 {
		o.Expires = now.Add(c.Expires)
	}
	return c.act(ctx, e, "create-key", "name="+c.Name, func(db *state.DB) (string, error) {
		k, secret, err := keys.Create(ctx, db, c.Name, o, now)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(e.stdout, "id: %s\nkey: %s\n", k.ID, secret)
		fmt.Fprintln(e.stderr, "Keep the key now: only its hash is stored.")
		return fmt.Sprintf("id=%s, scopes=%v, credits=%d", k.ID, k.Scopes, c.Credits), nil
	})
}

type keysListCmd struct {
	stateSettings
	JSON bool `help:"As JSON."`
}

func (c *keysListCmd) Run(ctx context.Context, e *environ) error {
	db, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	ks, err := keys.List(ctx, db)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, ks)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tNAME\tSCOPES\tCREDITS\tREVOKED")
	for _, k := range ks {
		var scopes []string
		for _, s := range k.Scopes {
			scopes = append(scopes, string(s))
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%v\n", k.ID, k.Name, strings.Join(scopes, ","), k.Credits, !k.RevokedAt.IsZero())
	}
	return tw.Flush()
}

type keysRevokeCmd struct {
	stateSettings
	ID string `arg:"" help:"Id of the key."`
}

func (c *keysRevokeCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "revoke-key", "id="+c.ID, func(db *state.DB) (string, error) { return "", keys.Revoke(ctx, db, c.ID, time.Now()) })
}

type keysCreditCmd struct {
	stateSettings
	ID     string `arg:"" help:"Id of the key."`
	Amount int64  `arg:"" help:"Credits to add; below zero to take away."`
	Note   string `help:"Why, for the statement." required:""`
}

func (c *keysCreditCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "credit-key", "id="+c.ID, func(db *state.DB) (string, error) {
		left, err := keys.Credit(ctx, db, c.ID, c.Amount, c.Note, time.Now())
		if err == nil {
			fmt.Fprintf(e.stdout, "%d credits\n", left)
		}
		return fmt.Sprintf("amount=%d, balance=%d", c.Amount, left), err
	})
}
