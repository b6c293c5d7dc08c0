package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	rewardsapi "github.com/roadcomb/roadcomb/rewards/api"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/replay"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
	"github.com/roadcomb/roadcomb/rewards/settle"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

// payoutSettings say who may not be paid, how long an appeal may take, and where the payouts are claimed.
type payoutSettings struct {
	DenyList    string `help:"Signed list of payout addresses that must not be paid; read at each close." env:"ROADCOMB_PAYOUT_DENY_LIST" placeholder:"FILE" type:"path"`
	DenyKey     string `help:"Ed25519 key that signs the list, 64 hex digits." env:"ROADCOMB_PAYOUT_DENY_KEY" placeholder:"HEX"`
	Screen      string `help:"Screening service that is asked at each close which payout addresses must not be paid: https, or http on this machine." env:"ROADCOMB_PAYOUT_SCREEN" placeholder:"URL"`
	AppealDays  int    `help:"Days to appeal against a hold, and as many again to decide on an appeal." default:"14" env:"ROADCOMB_PAYOUT_APPEAL_DAYS"`
	RPC         string `name:"rpc" help:"JSON-RPC endpoint of the chain, to tell contributors what they can claim." env:"ROADCOMB_RPC" placeholder:"URL"`
	Distributor string `help:"Address of the distributor on that chain." env:"ROADCOMB_DISTRIBUTOR" placeholder:"0x…"`
}

// apply sets what the worker needs; the faults name the setting.
func (s payoutSettings) apply(w *worker.Worker) error {
	if s.AppealDays < 0 {
		return survey.Errorf(survey.Invalid, "--payout-appeal-days is %d", s.AppealDays).WithHint("give at least a day")
	}
	w.AppealTime = time.Duration(s.AppealDays) * 24 * time.Hour
	var screens []worker.Screener
	if s.DenyList != "" {
		key, err := hex.DecodeString(s.DenyKey)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return survey.Errorf(survey.Invalid, "--payout-deny-key is not 64 hex digits").WithHint("it is the public key that signs --payout-deny-list")
		}
		screens = append(screens, worker.FileScreen(s.DenyList, key))
	}
	if s.Screen != "" {
		if err := worker.CheckScreenURL(s.Screen); err != nil {
			return fmt.Errorf("--payout-screen: %w", err)
		}
		screens = append(screens, worker.HTTPScreen(s.Screen, nil))
	}
	if len(screens) > 0 {
		w.Screen = worker.AllScreens(screens...)
	}
	return nil
}

// chain answers what contributors ask of the chain; nil without one.
func (s payoutSettings) chain(ctx context.Context) (*settledOn, error) {
	if s.RPC == "" && s.Distributor == "" {
		return nil, nil
	}
	at, err := merkle.ParseAddress(s.Distributor)
	if err != nil {
		return nil, fmt.Errorf("--payout-distributor: %w", err)
	}
	c, err := settle.Dial(ctx, s.RPC)
	if err != nil {
		return nil, err
	}
	return &settledOn{settle.Distributor{Chain: c, Address: at}}, nil
}

// settledOn is the distributor as the API asks it.
type settledOn struct{ settle.Distributor }

func (c *settledOn) Published(ctx context.Context) (survey.Epoch, bool, error) {
	n, _, ok, err := c.Current(ctx)
	// The chain counts weeks as survey.Epoch does; the first day of 1970 lies in week 0.
	return survey.EpochOf(time.Unix(0, 0).Add(time.Duration(n) * 7 * 24 * time.Hour)), ok, err
}

func (c *settledOn) Claimed(ctx context.Context, a merkle.Address) (survey.Amount, error) {
	b, err := c.Balance(ctx, a, 0, 0)
	return b.Claimed, err
}

// deskSettings say which database, and which key signs what is decided about it.
type deskSettings struct {
	stateSettings
	SigningKey survey.Secret `help:"The network's Ed25519 key: signing_key of its secrets.json, where this data folder has another one." env:"ROADCOMB_SIGNING_KEY" placeholder:"KEY"`
}

// withDesk opens the database for what operators do about rewards.
func (s deskSettings) withDesk(ctx context.Context, e *environ, fn func(*state.DB, *worker.Worker) error) error {
	db, err := s.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	secrets, err := loadSecrets(s.Home)
	if err != nil {
		return err
	}
	key, _, _, err := networkKey(ctx, db, secrets, s.SigningKey)
	if err != nil {
		return err
	}
	return fn(db, &worker.Worker{DB: db, Log: e.log, Keys: worker.NewKeys(key)})
}

// decider names who sits at the command line, as the audit log does.
func decider() string { return string(shell().Role) + ":" + shell().Name }

type rewardsHoldsCmd struct {
	deskSettings
	Only  string `help:"In which state." enum:"open,appealed,cleared,confirmed" default:"open"`
	Limit int    `help:"At most so many." default:"100"`
	JSON  bool   `help:"As JSON, with the whole evidence."`
}

func (c *rewardsHoldsCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(_ *state.DB, w *worker.Worker) error {
		hs, err := w.Holds(ctx, c.Only, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(e.stdout, hs)
		}
		tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "DRIVE\tCONTRIBUTOR\tHELD\tDEADLINE\tEVIDENCE\tAPPEAL")
		for _, h := range hs {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%.60s\t%.40q\n", h.Drive, h.Contributor, h.Held, state.Time(h.Deadline).Format(time.DateOnly), h.Evidence, h.Appeal)
		}
		return tw.Flush()
	})
}

type rewardsDecideCmd struct {
	deskSettings
	Decision string `arg:"" help:"clear: what is held is paid; confirm: it is forfeited and never minted." enum:"clear,confirm"`
	Drive    string `arg:"" help:"Drive id, as rewards holds shows it."`
	Reason   string `help:"Why; the contributor sees it." required:""`
}

func (rewardsDecideCmd) Help() string {
	return "Example: roadcomb rewards decide clear 5f3c… --reason 'known van, the frames show the street'"
}

func (c *rewardsDecideCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		return audited(ctx, e, db, "rewards.decide", c.Drive, func() (string, error) {
			return c.Decision + ": " + c.Reason, w.Decide(ctx, survey.DriveID(c.Drive), c.Decision == "clear", decider(), c.Reason)
		})
	})
}

type rewardsEnrolCmd struct {
	deskSettings
	Contributor string `arg:"" help:"Contributor id."`
	DeviceKey   string `help:"Only uploads that this device key signed." placeholder:"HEX"`
	Reason      string `help:"Why you answer for them." required:""`
}

func (c *rewardsEnrolCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		return audited(ctx, e, db, "rewards.enrol", c.Contributor, func() (string, error) {
			n, err := w.Enrol(ctx, survey.ContributorID(c.Contributor), c.DeviceKey, decider(), c.Reason)
			if err == nil {
				fmt.Fprintf(e.stdout, "enrolled; %d holds cleared\n", n)
			}
			return c.Reason, err
		})
	})
}

type rewardsSponsorCmd struct {
	deskSettings
	Sponsor  string `arg:"" help:"Contributor id of the enrolled driver who answers."`
	Newcomer string `arg:"" help:"Contributor id of the newcomer."`
	End      bool   `help:"End it: nothing more of the newcomer is paid on this driver's word."`
}

func (rewardsSponsorCmd) Help() string {
	return "What the newcomer earns is paid while as much of the sponsor's own earnings is held for it. Enrolling the newcomer gives the bond back. Drivers do this themselves on the rewards page."
}

func (c *rewardsSponsorCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		return audited(ctx, e, db, "rewards.sponsor", c.Newcomer, func() (string, error) {
			if c.End {
				return "ended: " + c.Sponsor, w.Unsponsor(ctx, survey.ContributorID(c.Sponsor), survey.ContributorID(c.Newcomer))
			}
			return c.Sponsor, w.Sponsor(ctx, survey.ContributorID(c.Sponsor), survey.ContributorID(c.Newcomer))
		})
	})
}

type rewardsDismissCmd struct {
	deskSettings
	Contributor string `arg:"" help:"Contributor id."`
	DeviceKey   string `help:"The enrolment of this device key." placeholder:"HEX"`
}

func (c *rewardsDismissCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		return audited(ctx, e, db, "rewards.dismiss", c.Contributor, func() (string, error) {
			return c.DeviceKey, w.Dismiss(ctx, survey.ContributorID(c.Contributor), c.DeviceKey, "")
		})
	})
}

type rewardsSignCmd struct {
	deskSettings
	DryRun bool `help:"List what would be signed, and sign nothing." default:"true" negatable:""`
}

func (rewardsSignCmd) Help() string {
	return "What was decided before decisions were signed, and what somebody changed in the database by hand, bears no valid signature, and no week closes on it. Look at each line: with --no-dry-run you answer for all of them."
}

func (c *rewardsSignCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		list := func() (string, error) {
			us, err := w.Sign(ctx, decider(), c.DryRun)
			for _, u := range us {
				fmt.Fprintf(e.stdout, "%s: %s\n", u.What, u.Why)
			}
			return fmt.Sprintf("%d signed", len(us)), err
		}
		if c.DryRun {
			_, err := list()
			return err
		}
		return audited(ctx, e, db, "rewards.sign", "decisions", list)
	})
}

type rewardsAdjustCmd struct {
	deskSettings
	ID          string `arg:"" help:"Your name for this entry; a repeat with the same content changes nothing."`
	Contributor string `arg:"" help:"Contributor id."`
	Epoch       string `arg:"" help:"The closed epoch it is about."`
	Amount      int64  `help:"Base units (10^-9 of a token), negative to take back what later earnings cover." required:""`
	Reason      string `help:"Why; it is published." required:""`
}

func (c *rewardsAdjustCmd) Run(ctx context.Context, e *environ) error {
	return c.withDesk(ctx, e, func(db *state.DB, w *worker.Worker) error {
		return audited(ctx, e, db, "rewards.adjust", c.Contributor, func() (string, error) {
			return fmt.Sprintf("%s %d: %s", c.Epoch, c.Amount, c.Reason), w.Adjust(ctx, record.Correction{ID: c.ID, Contributor: c.Contributor, Epoch: c.Epoch,
				Amount: c.Amount, Reason: c.Reason, DecidedBy: decider()})
		})
	})
}

type rewardsReplayCmd struct {
	Epochs  string `help:"First and last epoch, such as 2026-11-02..2026-11-30." required:"" placeholder:"A..B"`
	Ruleset string `help:"The other ruleset: a file, or the version of a known one." required:"" placeholder:"FILE|v2"`
	From    string `arg:"" help:"Folder of published epochs, or address such as https://host/v1/rewards/epochs." placeholder:"DIR|URL"`
	SVG     string `help:"Write the picture there." placeholder:"FILE" type:"path"`
	JSON    bool   `help:"As JSON, with each contributor."`
}

func (rewardsReplayCmd) Help() string {
	return "Nothing changes. What was found and decided about drives stays as it was. Example: roadcomb rewards replay --epochs 2026-11-02..2026-11-30 --ruleset mine.json --svg change.svg out/rewards"
}

func (c *rewardsReplayCmd) Run(ctx context.Context, e *environ) error {
	other, err := os.ReadFile(c.Ruleset)
	if os.IsNotExist(err) {
		if other, err = ruleset.Named(c.Ruleset); err != nil {
			return survey.Errorf(survey.NotFound, "--ruleset: %s is no file, and no known version", c.Ruleset)
		}
	}
	if err != nil {
		return err
	}
	first, last, ok := strings.Cut(c.Epochs, "..")
	from, err := survey.ParseEpoch(first)
	if err != nil {
		return fmt.Errorf("--epochs: %w", err)
	}
	to := from
	if ok {
		if to, err = survey.ParseEpoch(last); err != nil {
			return fmt.Errorf("--epochs: %w", err)
		}
	}
	if to.Number() < from.Number() || to.Number()-from.Number() > 520 {
		return exit{ExitUsage, fmt.Sprintf("--epochs: %s to %s is no range of at most ten years", from, to)}
	}
	var folders []fs.FS
	for ep := from; ep.Number() <= to.Number(); ep = ep.Next() {
		where := strings.TrimSuffix(c.From, "/") + "/" + ep.String()
		if strings.HasPrefix(c.From, "http") {
			where += "/files"
		}
		f, err := epochFS(ctx, where)
		if err != nil {
			return err
		}
		folders = append(folders, f)
	}
	r, err := replay.Run(folders, other)
	if err != nil {
		return err
	}
	if c.SVG != "" {
		var b bytes.Buffer
		if err := r.SVG(&b); err != nil {
			return err
		}
		if err := writeFileAtomic(c.SVG, b.Bytes(), 0o644); err != nil {
			return survey.Errorf(survey.Unavailable, "--svg: %w", err)
		}
	}
	if c.JSON {
		return writeJSON(e.stdout, r)
	}
	return r.Table(e.stdout)
}

type rewardsExportCmd struct {
	Epoch  string `arg:"" help:"Folder or address of a published epoch; it is verified first." placeholder:"DIR|URL"`
	Form   string `help:"oz: the tree of cumulative amounts; uniswap: this epoch's payments as merkle-distributor's claims; jito: the same for Solana." enum:"oz,uniswap,jito" default:"oz"`
	Solana string `help:"For jito: lines of contributor,public key." placeholder:"CSV" type:"path"`
}

func (c *rewardsExportCmd) Run(ctx context.Context, e *environ) error {
	f, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	r, err := record.Verify(f, nil)
	if err != nil {
		return err
	}
	if !r.OK() {
		return exit{ExitRejected, fmt.Sprintf("epoch %s differs from its inputs: %s", r.Manifest.Epoch, r.Differences[0])}
	}
	if c.Form == "oz" {
		b, err := fs.ReadFile(f, record.MerkleName)
		if err != nil {
			return survey.Errorf(survey.NotFound, "epoch %s has no tree: nobody has earned anything yet", r.Manifest.Epoch)
		}
		_, err = e.stdout.Write(b)
		return err
	}
	b, err := fs.ReadFile(f, record.AllocationsName)
	if err != nil {
		return err
	}
	rows, err := lake.Decode[record.Allocation](b)
	if err != nil {
		return err
	}
	var out []byte
	if c.Form == "uniswap" {
		out, err = uniswap(rows)
	} else {
		out, err = c.jito(rows)
	}
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(out)
	return err
}

// paid is what the epoch added to an account. Reserves are left out: they are paid with the epoch that moves them.
func paid(a record.Allocation) survey.Amount {
	if a.Reserved {
		return 0
	}
	return survey.Amount(max(0, a.Cumulative-a.Before))
}

func uniswap(rows []record.Allocation) ([]byte, error) {
	sums := map[merkle.Address]survey.Amount{}
	for _, r := range rows {
		a, err := merkle.ParseAddress(r.Address)
		if err != nil {
			return nil, err
		}
		sums[a] += paid(r)
	}
	var leaves []merkle.Leaf
	for a, n := range sums {
		leaves = append(leaves, merkle.Leaf{Address: a, Amount: n})
	}
	return merkle.Uniswap(leaves) // orders them
}

func (c *rewardsExportCmd) jito(rows []record.Allocation) ([]byte, error) {
	if c.Solana == "" {
		return nil, exit{ExitUsage, "--form jito needs --solana: contributors have EVM addresses here"}
	}
	b, err := os.ReadFile(c.Solana)
	if err != nil {
		return nil, survey.Errorf(survey.NotFound, "--solana: %w", err)
	}
	lines, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "--solana: %w", err)
	}
	keys := map[string][32]byte{}
	for i, l := range lines {
		if len(l) != 2 {
			return nil, survey.Errorf(survey.Invalid, "--solana: line %d is not contributor,public key", i+1)
		}
		if keys[l[0]], err = merkle.SolanaKey(l[1]); err != nil {
			return nil, fmt.Errorf("--solana: line %d: %w", i+1, err)
		}
	}
	var claims []merkle.JitoClaim
	for _, r := range rows {
		n := paid(r)
		if n == 0 {
			continue
		}
		k, ok := keys[r.Contributor]
		if !ok {
			return nil, survey.Errorf(survey.Invalid, "--solana lacks contributor %s, who is paid %s", r.Contributor, n)
		}
		claims = append(claims, merkle.JitoClaim{Claimant: k, Unlocked: uint64(n)})
	}
	_, file, err := merkle.Jito(claims)
	return file, err
}

type rewardsDeployCmd struct {
	RPC          string        `name:"rpc" help:"JSON-RPC endpoint of the chain." required:"" env:"ROADCOMB_RPC" placeholder:"URL"`
	KeyFile      string        `help:"File that holds the administrator's private key in hex, readable by its owner only." type:"path" required:"" placeholder:"FILE"`
	Name         string        `help:"Name of the token." default:"Roadcomb"`
	Symbol       string        `help:"Symbol of the token." default:"COMB"`
	Oracles      []string      `name:"oracle" help:"Address that may attest roots; give it for each." required:"" placeholder:"0x…"`
	Threshold    int64         `help:"Attestations of the same root that publish it." required:""`
	CapPerEpoch  int64         `help:"Tokens that one root may add to what is owed." required:""`
	CapPerWindow int64         `help:"Tokens that may be claimed within a window." required:""`
	Window       time.Duration `help:"Length of the window." default:"24h"`
	DryRun       bool          `help:"Show what would be deployed, and send nothing." default:"true" negatable:""`
}

func (c *rewardsDeployCmd) Run(ctx context.Context, e *environ) error {
	key, admin, err := settle.LoadKey(c.KeyFile)
	if err != nil {
		return err
	}
	var oracles []merkle.Address
	for _, o := range c.Oracles {
		a, err := merkle.ParseAddress(o)
		if err != nil {
			return exit{ExitUsage, fmt.Sprintf("--oracle: %v", err)}
		}
		oracles = append(oracles, a)
	}
	most := int64(1<<63-1) / int64(survey.BaseUnits)
	switch {
	case c.Threshold < 1 || c.Threshold > int64(len(oracles)):
		return exit{ExitUsage, fmt.Sprintf("--threshold %d of %d oracles", c.Threshold, len(oracles))}
	case c.CapPerEpoch < 1 || c.CapPerWindow < 1 || c.CapPerEpoch > most || c.CapPerWindow > most || c.Window < time.Second:
		return exit{ExitUsage, "the caps and the window must be positive, the caps at most 9223372036 tokens"}
	}
	limits := settle.Limits{Threshold: c.Threshold, CapPerEpoch: survey.Amount(c.CapPerEpoch) * survey.BaseUnits, CapPerWindow: survey.Amount(c.CapPerWindow) * survey.BaseUnits, Window: int64(c.Window / time.Second)}
	chain, err := settle.Dial(ctx, c.RPC)
	if err != nil {
		return err
	}
	id, err := chain.ChainID(ctx)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "ask the chain for its id: %w", err)
	}
	if err := writeJSON(e.stdout, map[string]any{"chain_id": id.String(), "admin": admin, "name": c.Name, "symbol": c.Symbol, "oracles": oracles, "limits": limits, "dry_run": c.DryRun}); err != nil || c.DryRun {
		return err
	}
	token, d, err := settle.Deploy(ctx, chain, key, c.Name, c.Symbol, oracles, limits, nil)
	if err != nil {
		return err
	}
	return writeJSON(e.stdout, map[string]any{"token": token, "distributor": d.Address})
}

// regions gives the worker what is known of the roads, in cells of a resolution.
func (p *platform) regions() func(ctx context.Context, res int, from, to time.Time) ([]rewards.Region, error) {
	if p.roads == nil {
		return nil
	}
	return func(ctx context.Context, res int, from, to time.Time) ([]rewards.Region, error) {
		ps, err := p.roads.Progress(ctx, p.db, res, from, to)
		out := make([]rewards.Region, len(ps))
		for i, x := range ps {
			out[i] = rewards.Region{Cell: x.Region, Road: x.Road, Covered: x.Covered}
		}
		return out, err
	}
}

// registerRewards adds what contributors, operators and strangers ask about rewards.
func (p *platform) registerRewards(mux *httpx.Routes, api huma.API, op *operators.Operators, drv *drivers.Drivers) error {
	d := rewardsapi.Deps{DB: p.db, Store: p.store, Drivers: drv, Appeal: p.rewards.Appeal, Operators: op, Desk: p.rewards}
	c, err := p.set.Payout.chain(context.Background())
	if err != nil {
		return err
	}
	if c != nil { // a nil chain in the interface would not be nil
		d.Chain = c
	}
	rewardsapi.Register(mux, api, d)
	return nil
}
