package app

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/settle"
)

type rewardsCmd struct {
	Verify  rewardsVerifyCmd  `cmd:"" help:"Compute a published epoch again from its inputs and say what differs."`
	Explain rewardsExplainCmd `cmd:"" help:"Say why a contributor got what it got in an epoch."`
	Replay  rewardsReplayCmd  `cmd:"" help:"Show what another ruleset would have paid, as a table and a picture."`
	Export  rewardsExportCmd  `cmd:"" help:"Write an epoch's payments in another distributor's form."`
	Holds   rewardsHoldsCmd   `cmd:"" help:"List held drives with their evidence."`
	Decide  rewardsDecideCmd  `cmd:"" help:"Clear or confirm a hold, for good."`
	Enrol   rewardsEnrolCmd   `cmd:"" help:"Answer for a contributor or a device, so that what it uploads is paid at once; clears what waited for that."`
	Sponsor rewardsSponsorCmd `cmd:"" help:"Record that an enrolled driver answers for a newcomer."`
	Dismiss rewardsDismissCmd `cmd:"" help:"No longer answer for a contributor's uploads."`
	Sign    rewardsSignCmd    `cmd:"" help:"Sign what was decided without a valid signature, after looking at it."`
	Adjust  rewardsAdjustCmd  `cmd:"" help:"Mend an error in a closed epoch by an entry that the next close books."`
	Deploy  rewardsDeployCmd  `cmd:"" help:"Deploy token and distributor on a chain; shows the plan unless told to send."`
	Publish rewardsPublishCmd `cmd:"" help:"Attest an epoch's root to the distributor on a chain; shows the plan unless told to send."`
}

// epochFS opens a published epoch: a folder, or an http(s) address under which its files lie.
func epochFS(ctx context.Context, where string) (fs.FS, error) {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		return record.HTTPFS(ctx, where, &http.Client{Timeout: 5 * time.Minute})
	}
	abs, err := filepath.Abs(where)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return nil, survey.Errorf(survey.NotFound, "%s is no folder", where).WithHint("give the folder of an epoch, such as out/rewards/2024-05-06, or its address")
	}
	return os.DirFS(abs), nil
}

type rewardsVerifyCmd struct {
	Epoch    string `arg:"" help:"Folder or address of a published epoch." placeholder:"DIR|URL"`
	Previous string `help:"Folder or address of the epoch before, to check that accounts go on from it." placeholder:"DIR|URL"`
	Key      string `help:"Ed25519 key (base64) that the epoch must be signed with, as the network publishes it (roadcomb datasets key)." placeholder:"KEY"`
	JSON     bool   `help:"As JSON."`
}

func (rewardsVerifyCmd) Help() string {
	return "Exit code 0 when everything agrees, 3 when something differs, 4 when the epoch is not signed with --key."
}

func (c *rewardsVerifyCmd) Run(ctx context.Context, e *environ) error {
	now, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	var before fs.FS
	if c.Previous != "" {
		if before, err = epochFS(ctx, c.Previous); err != nil {
			return err
		}
	}
	key, err := parsePublicKey("--key", c.Key)
	if err != nil {
		return err
	}
	if key != nil {
		if _, err := record.Signed(now, key); err != nil {
			return err
		}
	}
	r, err := record.Verify(now, before)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := writeJSON(e.stdout, r); err != nil {
			return err
		}
	} else {
		for _, d := range r.Differences {
			fmt.Fprintln(e.stdout, d)
		}
		if r.OK() {
			by := "not signed"
			switch {
			case key != nil:
				by = "signed with that key"
			case r.Key != "":
				by = "signed with " + r.Key
			}
			fmt.Fprintf(e.stdout, "epoch %s agrees with its inputs; Merkle root %s; %s\n", r.Manifest.Epoch, r.Root, by)
		}
	}
	if !r.OK() {
		return exit{ExitRejected, fmt.Sprintf("epoch %s differs from its inputs in %d places", r.Manifest.Epoch, len(r.Differences))}
	}
	return nil
}

type rewardsExplainCmd struct {
	Epoch       string `arg:"" help:"Folder or address of a published epoch." placeholder:"DIR|URL"`
	Contributor string `arg:"" optional:"" help:"Contributor id; without one, all accounts are listed."`
	JSON        bool   `help:"As JSON, every line."`
}

func (rewardsExplainCmd) Help() string {
	return "Shares (need, quality, trust) are in parts per million. Lines, work orders and reviews, less what is held, add up to the amount.\nExample: roadcomb rewards explain out/rewards/2024-05-06"
}

// list prints the accounts of an epoch, as its allocations are ordered.
func (c *rewardsExplainCmd) list(e *environ, f fs.FS) error {
	m, as, err := record.Accounts(f)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, as)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "CONTRIBUTOR\tPAID TO\tFRAMES\tCELLS\tAMOUNT\tHELD\tSINCE THE FIRST EPOCH\t")
	for _, a := range as {
		to := a.Address
		if a.Reserved {
			to = "reserve: no address yet"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t\n", a.Contributor, to, a.Frames, a.Cells, survey.Amount(a.Amount), survey.Amount(a.Held), survey.Amount(a.Cumulative))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "epoch %s, ruleset %s: %s tokens to %d contributors, %s held\n", m.Epoch, m.Ruleset, m.Total.Allocated, m.Contributors, m.Total.Held)
	return nil
}

func (c *rewardsExplainCmd) Run(ctx context.Context, e *environ) error {
	f, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	if c.Contributor == "" {
		return c.list(e, f)
	}
	x, err := record.Explain(f, survey.ContributorID(c.Contributor))
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, x)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	region := func(c survey.Cell) string {
		switch {
		case c != 0:
			return c.String()
		case len(x.Regions) > 0:
			return "outside"
		}
		return "-"
	}
	fmt.Fprintln(tw, "CELL\tREGION\tSLOT\tFRAMES\tNEED\tRANK\tQUALITY\tTRUST\tRATE\tAMOUNT\tDEMAND\tHELD\tWHY ZERO\t")
	for _, l := range x.Lines {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", l.Cell, region(l.Region), l.Slot.Format("2006-01-02T15:04Z"), l.Frames, l.Need, l.Rank, l.Quality, l.Trust,
			survey.Amount(l.Rate), survey.Amount(l.Amount), survey.Amount(l.Demand), survey.Amount(l.Held), l.Code)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range x.Regions {
		var mine survey.Amount
		for _, l := range x.Lines {
			if l.Region == r.Cell {
				mine += survey.Amount(l.Amount)
			}
		}
		fmt.Fprintf(e.stdout, "region %s: %s of %s tokens that its cells got, of at most %s (%d m of road, progress %.1f %%)\n", region(r.Cell), mine,
			survey.Amount(r.Spent), survey.Amount(r.Pool), r.Road/1000, float64(r.Progress)/1e4)
	}
	fmt.Fprintf(e.stdout, "epoch %s, contributor %s: %s tokens, %s held\n", x.Epoch, x.Contributor, x.Amount, x.Held)
	return nil
}

type rewardsPublishCmd struct {
	Epoch    string `arg:"" help:"Folder or address of a published epoch; it is verified first." placeholder:"DIR|URL"`
	RPC      string `help:"JSON-RPC endpoint of the chain." required:"" env:"ROADCOMB_RPC" placeholder:"URL"`
	Contract string `help:"Address of the distributor." required:"" env:"ROADCOMB_DISTRIBUTOR" placeholder:"0x…"`
	KeyFile  string `help:"File that holds the oracle's private key in hex, readable by its owner only." type:"path" placeholder:"FILE"`
	DryRun   bool   `help:"Show what would be sent, and send nothing." default:"true" negatable:""`
}

func (rewardsPublishCmd) Help() string {
	return "Nothing is sent unless --no-dry-run is given. The plan names every reason why the transaction would fail."
}

func (c *rewardsPublishCmd) Run(ctx context.Context, e *environ) error {
	f, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	at, err := merkle.ParseAddress(c.Contract)
	if err != nil {
		return exit{ExitUsage, fmt.Sprintf("--contract: %v", err)}
	}
	var key *ecdsa.PrivateKey
	var oracle merkle.Address
	if c.KeyFile != "" {
		if key, oracle, err = settle.LoadKey(c.KeyFile); err != nil {
			return err
		}
	}
	if !c.DryRun && key == nil {
		return exit{ExitUsage, "--no-dry-run needs --key-file"}
	}
	r, err := record.Verify(f, nil)
	if err != nil {
		return err
	}
	chain, err := settle.Dial(ctx, c.RPC)
	if err != nil {
		return err
	}
	d := settle.Distributor{Chain: chain, Address: at}
	plan, err := d.Plan(ctx, r, oracle)
	if err != nil {
		return err
	}
	if err := writeJSON(e.stdout, plan); err != nil {
		return err
	}
	if c.DryRun {
		return nil
	}
	if len(plan.Problems) > 0 {
		return exit{ExitInput, "not sent: " + strings.Join(plan.Problems, "; ")}
	}
	tx, err := d.Attest(ctx, plan, key, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "sent %s\n", tx)
	return nil
}

// ensureLocal registers this machine's own contributor, whom its owner answers for.
func (p *platform) ensureLocal(ctx context.Context) error {
	if err := ingestapi.EnsureContributor(ctx, p.db, localContributor, "local", p.secrets.DriverToken.Reveal()); err != nil {
		return err
	}
	_, err := p.rewards.Enrol(ctx, localContributor, "", "operator", "footage of the owner of this network")
	if survey.KindOf(err) == survey.Unauthorized { // the map goes on without this machine's payouts
		p.log.Warn("nobody answers for footage from this machine, which is held until somebody does", "err", err)
		return nil
	}
	return err
}
