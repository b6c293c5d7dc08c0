package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// shell is who acts at this machine's command line.
func shell() httpx.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return httpx.Actor{Name: "shell:" + name, Role: httpx.RoleAdmin, Via: "shell"}
}

// audited runs fn as an act of whoever sits at the command line; the audit log has it before it happens.
func audited(ctx context.Context, e *environ, db *state.DB, act, target string, fn func() (note string, err error)) error {
	return operators.New(db, operators.Config{Log: e.log}).Do(ctx, shell(), httpx.Act{Name: act, Target: target}, fn)
}

type operatorsCmd struct {
	Add      operatorsAddCmd      `cmd:"" help:"Make an operator; the password is shown this once."`
	List     operatorsListCmd     `cmd:"" help:"List operators."`
	Role     operatorsRoleCmd     `cmd:"" help:"Change what an operator may do, at once."`
	Password operatorsPasswordCmd `cmd:"" help:"Give an operator a new password and end their sessions."`
	Token    operatorsTokenCmd    `cmd:"" help:"Make a token for a program that acts as an operator; shown this once."`
	Disable  operatorsDisableCmd  `cmd:"" help:"End an operator's account, sessions and tokens."`
}

// withOperators opens the database for one act.
func (s stateSettings) withOperators(ctx context.Context, e *environ, fn func(*state.DB, *operators.Operators) error) error {
	db, err := s.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(db, operators.New(db, operators.Config{Log: e.log}))
}

type operatorsAddCmd struct {
	stateSettings
	Name  string `arg:"" help:"How the operator logs in."`
	Role  string `help:"admin: everything; operator: runs the network; reviewer: reports and take-downs; fleet: enrols its own drivers and devices; auditor: reads." enum:"admin,operator,reviewer,fleet,auditor" default:"operator"`
	Stdin bool   `help:"Read the password from the first line of standard input instead of making one."`
}

func (c *operatorsAddCmd) Run(ctx context.Context, e *environ) error {
	pw, err := newPassword(e, c.Stdin)
	if err != nil {
		return err
	}
	return c.withOperators(ctx, e, func(db *state.DB, o *operators.Operators) error {
		err := audited(ctx, e, db, "add-operator", "name="+c.Name, func() (string, error) {
			return "role=" + c.Role, o.Add(ctx, c.Name, httpx.Role(c.Role), pw)
		})
		if err == nil && !c.Stdin {
			fmt.Fprintf(e.stdout, "name: %s\npassword: %s\n", c.Name, pw)
			fmt.Fprintln(e.stderr, "Keep the password now: only its hash is stored.")
		}
		return err
	})
}

// newPassword makes one, or reads it.
func newPassword(e *environ, stdin bool) (string, error) {
	if !stdin {
		return operators.NewPassword(), nil
	}
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", survey.Errorf(survey.Invalid, "standard input holds no password: %v", err)
	}
	return line, nil
}

type operatorsListCmd struct {
	stateSettings
	JSON bool `help:"As JSON."`
}

func (c *operatorsListCmd) Run(ctx context.Context, e *environ) error {
	return c.withOperators(ctx, e, func(_ *state.DB, o *operators.Operators) error {
		as, err := o.List(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(e.stdout, as)
		}
		tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "NAME\tROLE\tSINCE\tDISABLED")
		for _, a := range as {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", a.Name, a.Role, a.CreatedAt.Format(time.DateOnly), day(a.DisabledAt))
		}
		return tw.Flush()
	})
}

type operatorsRoleCmd struct {
	stateSettings
	Name string `arg:""`
	Role string `arg:"" enum:"admin,operator,reviewer,fleet,auditor"`
}

func (c *operatorsRoleCmd) Run(ctx context.Context, e *environ) error {
	return c.withOperators(ctx, e, func(db *state.DB, o *operators.Operators) error {
		return audited(ctx, e, db, "set-operator-role", "name="+c.Name, func() (string, error) {
			return "role=" + c.Role, o.SetRole(ctx, c.Name, httpx.Role(c.Role))
		})
	})
}

type operatorsPasswordCmd struct {
	stateSettings
	Name  string `arg:""`
	Stdin bool   `help:"Read the password from the first line of standard input instead of making one."`
}

func (c *operatorsPasswordCmd) Run(ctx context.Context, e *environ) error {
	pw, err := newPassword(e, c.Stdin)
	if err != nil {
		return err
	}
	return c.withOperators(ctx, e, func(db *state.DB, o *operators.Operators) error {
		err := audited(ctx, e, db, "set-operator-password", "name="+c.Name, func() (string, error) { return "", o.SetPassword(ctx, c.Name, pw) })
		if err == nil && !c.Stdin {
			fmt.Fprintf(e.stdout, "password: %s\n", pw)
		}
		return err
	})
}

type operatorsTokenCmd struct {
	stateSettings
	Name string        `arg:""`
	Life time.Duration `help:"How long the token holds." default:"2160h"`
}

func (c *operatorsTokenCmd) Run(ctx context.Context, e *environ) error {
	return c.withOperators(ctx, e, func(db *state.DB, o *operators.Operators) error {
		return audited(ctx, e, db, "add-operator-token", "name="+c.Name, func() (string, error) {
			tok, err := o.NewToken(ctx, c.Name, c.Life)
			if err == nil {
				fmt.Fprintln(e.stdout, tok)
			}
			return "life=" + c.Life.String(), err
		})
	})
}

type operatorsDisableCmd struct {
	stateSettings
	Name string `arg:""`
}

func (c *operatorsDisableCmd) Run(ctx context.Context, e *environ) error {
	return c.withOperators(ctx, e, func(db *state.DB, o *operators.Operators) error {
		return audited(ctx, e, db, "disable-operator", "name="+c.Name, func() (string, error) { return "", o.Disable(ctx, c.Name) })
	})
}

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"What operators did, oldest first."`
	Verify auditVerifyCmd `cmd:"" help:"Recompute the chain of hashes; exit code 1 when it is broken."`
}

type auditListCmd struct {
	stateSettings
	After int64 `help:"Only entries after this number."`
	JSON  bool  `help:"One JSON object a line, for keeping elsewhere."`
}

func (c *auditListCmd) Run(ctx context.Context, e *environ) error {
	return c.withOperators(ctx, e, func(db *state.DB, _ *operators.Operators) error {
		tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		for after := c.After; ; {
			es, err := operators.Entries(ctx, db, after, 1000)
			if err != nil {
				return err
			}
			for _, x := range es {
				after = x.Seq
				if c.JSON {
					if err := writeJSONLine(e.stdout, x); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Seq, x.At.Format(time.RFC3339), x.Actor, x.Act, x.Target, x.Outcome, x.Note)
			}
			if len(es) == 0 {
				return tw.Flush()
			}
		}
	})
}

type auditVerifyCmd struct {
	settings
	Local bool     `help:"Do not ask the object store for the heads that are kept there."`
	Head  []string `help:"A head kept elsewhere, as SEQ:HASH; it must still be in the log. Repeatable." placeholder:"SEQ:HASH"`
}

func (auditVerifyCmd) Help() string {
	return "Prints the head, seq:hash. Each tick keeps one in the object store, which must still be in the log, so that an end that was cut off is missed. Keep one somewhere else too (on paper, in another system) and give it with --head: then whoever holds both database and store cannot hide it either."
}

func (c *auditVerifyCmd) Run(ctx context.Context, e *environ) error {
	var known []operators.Head
	for _, h := range c.Head {
		var k operators.Head
		if _, err := fmt.Sscanf(h, "%d:%64s", &k.Seq, &k.Hash); err != nil || len(k.Hash) != 64 {
			return exit{ExitUsage, fmt.Sprintf("--head %q is not SEQ:HASH", h)}
		}
		known = append(known, k)
	}
	if !c.Local {
		if err := withStore(ctx, c.settings, e, func(s *store.Store) error {
			kept, err := auditHeads(ctx, s)
			known = append(known, kept...)
			return err
		}); err != nil {
			return err
		}
	}
	return stateSettings{c.Home, c.State}.withOperators(ctx, e, func(db *state.DB, _ *operators.Operators) error {
		head, unended, err := operators.Verify(ctx, db, known...)
		if survey.KindOf(err) == survey.Conflict {
			return exit{ExitInternal, err.Error()}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "%d:%s\n", head.Seq, head.Hash)
		if len(unended) > 0 {
			fmt.Fprintf(e.stderr, "roadcomb: acts without an end, under way or cut short by a crash: %v\n", unended)
		}
		return nil
	})
}

// keepAuditHead writes where the audit log stands to the ledger, where no one who can only write to the database reaches it.
// One that is there already must be the same.
func (p *platform) keepAuditHead(ctx context.Context) error {
	h, err := operators.CurrentHead(ctx, p.db)
	if err != nil || h.Seq == 0 {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err = p.store.Create(ctx, store.Ledger, store.AuditHeadKey(h.Seq), b, "application/json"); !errors.Is(err, store.ErrExists) {
		return err
	}
	was, err := auditHead(ctx, p.store, store.AuditHeadKey(h.Seq))
	if err == nil && was != h {
		err = survey.Errorf(survey.Conflict, "entry %d of the audit log is not the one that was kept in the ledger", h.Seq).WithHint("somebody changed the log: roadcomb audit verify, and compare with a backup")
	}
	return err
}

// auditHeads are all heads that were kept in the ledger.
func auditHeads(ctx context.Context, s *store.Store) (known []operators.Head, err error) {
	err = s.List(ctx, store.Ledger, store.AuditHeads, func(i store.Info) error {
		h, err := auditHead(ctx, s, i.Key)
		known = append(known, h)
		return err
	})
	return known, err
}

func auditHead(ctx context.Context, s *store.Store, key string) (h operators.Head, err error) {
	b, _, err := s.Get(ctx, store.Ledger, key, 1<<10)
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, survey.Errorf(survey.Invalid, "ledger/%s: %w", key, err)
	}
	return h, nil
}

// opsSettings are what running a network takes beyond addresses.
type opsSettings struct {
	OIDC oidcSettings `embed:"" prefix:"oidc-"`
	observeSettings
	WorkerHour float64 `help:"Price of an hour of one worker's job, for the cost of a kilometre on the operators' page." env:"ROADCOMB_WORKER_HOUR" placeholder:"PRICE"`

	exporter trace.SpanExporter // of tests
}

// oidcSettings say how operators log in through an OpenID Connect provider.
type oidcSettings struct {
	Issuer string            `help:"OpenID Connect provider that operators log in through." env:"ROADCOMB_OIDC_ISSUER" placeholder:"URL"`
	Client string            `help:"Id of this network at the provider." env:"ROADCOMB_OIDC_CLIENT" placeholder:"ID"`
	Secret survey.Secret     `help:"Secret of this network at the provider." env:"ROADCOMB_OIDC_SECRET" placeholder:"SECRET"`
	Claim  string            `help:"Claim that holds the role or roles; a dot goes into an object." default:"roles" env:"ROADCOMB_OIDC_CLAIM"`
	Roles  map[string]string `help:"What the claim's values mean: value=role, separated by semicolons. Values that are the name of a role mean it." env:"ROADCOMB_OIDC_ROLES" placeholder:"VALUE=ROLE"`
}

// config is nil without an issuer. base is the network's address as browsers know it.
func (s oidcSettings) config(base string) (*operators.OIDC, error) {
	if s.Issuer == "" {
		return nil, nil
	}
	if s.Client == "" {
		return nil, survey.Errorf(survey.Invalid, "--oidc-issuer without --oidc-client").WithHint("the provider gave you an id when you registered %s/v1/operator/oidc/callback", base)
	}
	c := &operators.OIDC{Issuer: s.Issuer, ClientID: s.Client, ClientSecret: s.Secret, Redirect: base + "/v1/operator/oidc/callback", RoleClaim: s.Claim, Roles: map[string]httpx.Role{}}
	for v, r := range s.Roles {
		role, err := operators.ParseRole(r)
		if err != nil {
			return nil, fmt.Errorf("--oidc-roles: %w", err)
		}
		c.Roles[v] = role
	}
	return c, nil
}
