// Package api shows over HTTP what epochs paid and why: the published files as they are, the proof that an address
// claims with, and to each contributor its own statement, holds and appeals.
//
// It decides nothing and pays nothing. What is public is what the manifest of a closed epoch names.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

// Deps is what the API works with. DB and Store are required.
type Deps struct {
	DB    *state.DB
	Store *store.Store
	// Drivers says which contributor asks; nil means those of DB.
	Drivers *drivers.Drivers
	// Appeal records an appeal (worker.Worker.Appeal); nil means that none are taken here.
	Appeal func(ctx context.Context, c survey.ContributorID, d survey.DriveID, text string) error
	// Chain asks the settlement chain; nil means that nothing is settled on one.
	Chain Chain
	// Operators decide holds, enrol contributors and mend errors through Desk; nil means that nobody can.
	Operators httpx.Operators
	Desk      *worker.Worker
}

// Chain is what the API asks of a settlement chain.
type Chain interface {
	// Published is the epoch whose root can be claimed from; ok is false before the first.
	Published(ctx context.Context) (e survey.Epoch, ok bool, err error)
	// Claimed is what the address has claimed in all.
	Claimed(ctx context.Context, a merkle.Address) (survey.Amount, error)
}

// Units is an amount of base units (10^-9 of a token) as a decimal string, because JavaScript loses digits over 2^53.
type Units survey.Amount

func (u Units) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(int64(u))) }

func (u *Units) UnmarshalJSON(b []byte) error {
	var n int64
	if err := json.Unmarshal([]byte(strings.Trim(string(b), `"`)), &n); err != nil {
		return err
	}
	*u = Units(n)
	return nil
}

// Schema describes Units in OpenAPI.
func (Units) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: `^-?[0-9]+$`, Description: "Base units, 10^-9 of a token."}
}

// Epoch is a closed epoch in the list.
type Epoch struct {
	Epoch         string    `json:"epoch"`
	Ruleset       string    `json:"ruleset"`
	Manifest      string    `json:"manifest_sha256"`
	Root          string    `json:"root,omitempty"`
	In            Units     `json:"in" doc:"allocated + held + burned + refunded + remainder"`
	Allocated     Units     `json:"allocated"`
	Held          Units     `json:"held"`
	Remainder     Units     `json:"remainder"`
	Contributions int64     `json:"contributions"`
	Contributors  int64     `json:"contributors"`
	ClosedAt      time.Time `json:"closed_at"`
}

// Proof is what an address claims with.
type Proof struct {
	Address    string   `json:"address"`
	Epoch      string   `json:"epoch"`
	Root       string   `json:"root"`
	Cumulative Units    `json:"cumulative"`
	Proof      []string `json:"proof"`
}

// Claims keeps apart what is earned, what the chain knows of, and what was claimed.
type Claims struct {
	Address   string `json:"address"`
	Earned    Units  `json:"earned" doc:"by the last closed epoch"`
	Published *Units `json:"published,omitempty" doc:"by the epoch whose root the chain has; absent without a chain"`
	Claimed   *Units `json:"claimed,omitempty"`
	Claimable *Units `json:"claimable,omitempty" doc:"published less claimed"`
	Proof     *Proof `json:"proof,omitempty" doc:"for the published root; without a chain, for the last closed epoch"`
}

// Line is one cell and slot of a statement; its amounts add up to the allocation.
type Line struct {
	Cell       string    `json:"cell"`
	Region     string    `json:"region,omitempty" doc:"whose part of the coverage pool paid the amount; absent outside all regions, and in an epoch with one pool"`
	Slot       time.Time `json:"slot"`
	Frames     int32     `json:"frames"`
	Excluded   int32     `json:"excluded"`
	Need       int64     `json:"need" doc:"ppm"`
	Quality    int64     `json:"quality" doc:"ppm"`
	Trust      int64     `json:"trust" doc:"ppm"`
	Rank       int32     `json:"rank"`
	RankWeight int64     `json:"rank_weight" doc:"ppm"`
	Score      int64     `json:"score" doc:"ppm"`
	Total      int64     `json:"total" doc:"ppm, of all contributors of the slot"`
	Rate       Units     `json:"rate" doc:"what the slot got"`
	Amount     Units     `json:"amount" doc:"rate × score / total"`
	DemandRate Units     `json:"demand_rate"`
	Demand     Units     `json:"demand"`
	Held       Units     `json:"held"`
	Code       string    `json:"code,omitempty"`
	Reason     string    `json:"reason,omitempty" doc:"the code as a sentence"`
}

// Statement is why a contributor got what it got.
type Statement struct {
	Epoch   string  `json:"epoch"`
	Amount  Units   `json:"amount" doc:"sum of the lines' amount and demand and the hits, and qa, less held"`
	Held    Units   `json:"held"`
	QA      Units   `json:"qa"`
	Lines   []Line  `json:"lines"`
	Regions []Pool  `json:"regions" doc:"how the regions that paid the lines came to their amounts; none in an epoch with one pool"`
	Hits    []Hit   `json:"hits"`
	Entries []Entry `json:"corrections"`
}

// Pool is a region's part of the coverage pool in the epoch.
type Pool struct {
	Region   string `json:"region,omitempty" doc:"H3 cell; absent for cells outside all regions"`
	Road     int64  `json:"road" doc:"mm of road known there"`
	Progress int64  `json:"progress" doc:"ppm"`
	Pool     Units  `json:"pool" doc:"the most that its cells may get"`
	Weight   int64  `json:"weight" doc:"ppm of a cell, of all contributors' cells there"`
	Spent    Units  `json:"spent" doc:"what its cells got, of all contributors"`
}

// regionText is a region as it is named outside, "" for none.
func regionText(c survey.Cell) string {
	if c == 0 {
		return ""
	}
	return c.String()
}

// Hit is a work order's cell that the contributor filled.
type Hit struct {
	Order  string `json:"order"`
	Cell   string `json:"cell"`
	Frame  string `json:"frame"`
	Amount Units  `json:"amount"`
	Held   Units  `json:"held"`
}

// Entry is a correction of a closed epoch.
type Entry struct {
	Epoch     string `json:"epoch"`
	Kind      string `json:"kind"`
	Amount    Units  `json:"amount"`
	Reason    string `json:"reason"`
	DecidedBy string `json:"decided_by"`
}

// Me is a contributor's own view.
type Me struct {
	Contributor string     `json:"contributor"`
	Earned      Units      `json:"earned" doc:"in all closed epochs, corrections included"`
	Escrow      Units      `json:"escrow"`
	Debt        Units      `json:"debt"`
	Accounts    []Account  `json:"accounts"`
	Epochs      []MyEpoch  `json:"epochs"`
	Holds       []MyHold   `json:"holds"`
	Codes       []CodeText `json:"codes"`
	Enrolled    bool       `json:"enrolled" doc:"the operator or a fleet answers for the contributor, so that drives are paid at once"`
	Sponsor     bool       `json:"sponsored" doc:"an enrolled contributor answers for this one"`
	Newcomers   []string   `json:"newcomers" doc:"for whom the contributor answers with its own earnings"`
}

// Account is where earnings are booked.
type Account struct {
	Address    string `json:"address" doc:"the leaf in the tree"`
	Reserved   bool   `json:"reserved" doc:"no payout address is set; the amount moves to it once it is"`
	Cumulative Units  `json:"cumulative" doc:"earned, by the last closed epoch"`
	Claimed    *Units `json:"claimed,omitempty" doc:"absent without a chain"`
	Claimable  *Units `json:"claimable,omitempty" doc:"what the published root gives, less claimed; absent without a chain"`
}

// MyEpoch is one epoch's allocation.
type MyEpoch struct {
	Epoch  string `json:"epoch"`
	Amount Units  `json:"amount"`
	Held   Units  `json:"held"`
	Frames int64  `json:"frames"`
	Cells  int64  `json:"cells"`
}

// MyHold is a drive whose earnings are held, with the evidence and what can be done.
type MyHold struct {
	Drive    string          `json:"drive"`
	State    string          `json:"state" enum:"open,appealed,cleared,confirmed"`
	Evidence json.RawMessage `json:"evidence"`
	OpenedAt time.Time       `json:"opened_at"`
	Deadline time.Time       `json:"deadline" doc:"open: for the appeal; appealed: for the decision, after which the drive is cleared"`
	Appeal   string          `json:"appeal,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Todo     string          `json:"todo,omitempty" doc:"what the contributor can do, while it is not decided"`
}

// CodeText is a reason code and its sentence.
type CodeText struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type server struct {
	Deps
	mu    sync.Mutex
	trees map[string]*merkle.Tree // by epoch; the last few asked for
}

// keepTrees bounds the trees in memory: the published one, the last closed and one that somebody looks up.
const keepTrees = 3

// Register adds the operations under /v1/rewards. The files of an epoch are served under
// /v1/rewards/epochs/{epoch}/files/, which `roadcomb rewards verify` accepts as a URL.
func Register(mux httpx.Mux, api huma.API, d Deps) {
	if d.Drivers == nil {
		d.Drivers = drivers.New(d.DB, drivers.Config{})
	}
	s := &server{Deps: d, trees: map[string]*merkle.Tree{}}
	get := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"rewards"}}
	}
	httpx.Handle(api, get("list-epochs", "/v1/rewards/epochs", "Closed epochs, newest first"), s.epochs)
	httpx.Handle(api, get("get-epoch", "/v1/rewards/epochs/{epoch}", "An epoch's manifest"), s.epoch)
	httpx.Handle(api, get("get-claim", "/v1/rewards/epochs/{epoch}/claims/{address}", "The proof of an address in an epoch"), s.proof)
	httpx.Handle(api, get("get-claims", "/v1/rewards/claims/{address}", "Earned, claimed and claimable, with the proof to claim with"), s.claims)
	driver(s, api, get("my-rewards", "/v1/rewards/me", "What the contributor earned, what is held, and where it is booked"), s.me)
	driver(s, api, get("my-statement", "/v1/rewards/me/epochs/{epoch}", "Why: a statement per cell that adds up exactly"), s.statement)
	driver(s, api, huma.Operation{OperationID: "appeal-hold", Method: http.MethodPost, Path: "/v1/rewards/me/holds/{drive}/appeal", Summary: "Answer a hold before its deadline",
		Tags: []string{"rewards"}, DefaultStatus: http.StatusNoContent}, s.appeal)
	if d.Desk != nil {
		driver(s, api, huma.Operation{OperationID: "sponsor-newcomer", Method: http.MethodPut, Path: "/v1/rewards/me/newcomers/{contributor}", Summary: "Answer for a newcomer with one's own earnings",
			Tags: []string{"rewards"}, DefaultStatus: http.StatusNoContent}, s.sponsor)
		driver(s, api, huma.Operation{OperationID: "end-sponsorship", Method: http.MethodDelete, Path: "/v1/rewards/me/newcomers/{contributor}", Summary: "No longer answer for a newcomer",
			Tags: []string{"rewards"}, DefaultStatus: http.StatusNoContent}, s.unsponsor)
	}
	mux.HandleFunc("GET /v1/rewards/epochs/{epoch}/files/{name}", s.file)
	if d.Desk != nil {
		s.desk(api)
	}
}

// driver registers an operation that a contributor's token or session opens.
func driver[I, O any](s *server, api huma.API, op huma.Operation, fn func(context.Context, survey.ContributorID, *I) (*O, error)) {
	drivers.Handle(api, s.Drivers, op, func(ctx context.Context, who drivers.Driver, in *I) (*O, error) { return fn(ctx, who.ID, in) })
}

// Epochs is a list of closed epochs, the newest first.
type Epochs struct {
	Epochs []Epoch `json:"epochs"`
}

type (
	body[T any] struct{ Body T }
	epochIn     struct {
		Epoch string `path:"epoch" doc:"Monday, YYYY-MM-DD"`
	}
	claimIn struct {
		Epoch   string `path:"epoch" doc:"Monday, YYYY-MM-DD"`
		Address string `path:"address"`
	}
)

func (s *server) epochs(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"100"`
}) (*body[Epochs], error) {
	rows, err := s.DB.Query(ctx, `SELECT epoch, ruleset, manifest_sha256, root, pool, allocated, held, remainder, contributions, contributors, closed_at
		FROM epochs ORDER BY epoch DESC LIMIT $1`, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := body[Epochs]{Epochs{[]Epoch{}}}
	for rows.Next() {
		var e Epoch
		var at int64
		if err := rows.Scan(&e.Epoch, &e.Ruleset, &e.Manifest, &e.Root, &e.In, &e.Allocated, &e.Held, &e.Remainder, &e.Contributions, &e.Contributors, &at); err != nil {
			return nil, err
		}
		e.ClosedAt = state.Time(at)
		out.Body.Epochs = append(out.Body.Epochs, e)
	}
	return &out, rows.Err()
}

// closed refuses an epoch that is not booked: its files may be there already, but they are nobody's business yet.
func (s *server) closed(ctx context.Context, text string) (survey.Epoch, error) {
	e, err := survey.ParseEpoch(text)
	if err != nil {
		return e, err
	}
	var n int64
	if err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM epochs WHERE epoch = $1`, e.String()).Scan(&n); err != nil {
		return e, err
	}
	if n == 0 {
		return e, survey.Errorf(survey.NotFound, "epoch %s is not closed", e)
	}
	return e, nil
}

func (s *server) epoch(ctx context.Context, in *epochIn) (*body[json.RawMessage], error) {
	e, err := s.closed(ctx, in.Epoch)
	if err != nil {
		return nil, err
	}
	b, err := s.folder(ctx, e).ReadFile(record.ManifestName)
	return &body[json.RawMessage]{b}, err
}

// folder reads a closed epoch from the ledger.
func (s *server) folder(ctx context.Context, e survey.Epoch) folder { return folder{ctx, s.Store, e} }

type folder struct {
	ctx context.Context
	s   *store.Store
	e   survey.Epoch
}

func (f folder) ReadFile(name string) ([]byte, error) {
	b, _, err := f.s.Get(f.ctx, store.Ledger, store.EpochKey(f.e, name), 4<<30)
	if err != nil && survey.KindOf(err) == survey.NotFound {
		return nil, fs.ErrNotExist
	}
	return b, err
}

func (f folder) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

func (s *server) file(w http.ResponseWriter, r *http.Request) {
	e, err := s.closed(r.Context(), r.PathValue("epoch"))
	if err != nil {
		httpx.WriteProblem(w, r, err)
		return
	}
	name := r.PathValue("name")
	known := name == record.ManifestName || name == record.SignatureName
	for _, n := range append(record.InputNames(), record.OutputNames()...) {
		known = known || n == name
	}
	if !known {
		httpx.WriteProblem(w, r, survey.Errorf(survey.NotFound, "an epoch has no file %.60q", name))
		return
	}
	o, info, err := s.Store.Open(r.Context(), store.Ledger, store.EpochKey(e, name))
	if err != nil {
		httpx.WriteProblem(w, r, err)
		return
	}
	defer o.Close()
	w.Header().Set("Content-Type", info.Type)
	w.Header().Set("ETag", `"`+info.ETag+`"`)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(o, 0, info.Bytes))
}

// tree is the tree of a closed epoch, nil when nobody had earned anything.
func (s *server) tree(ctx context.Context, e survey.Epoch) (*merkle.Tree, error) {
	s.mu.Lock()
	defer s.mu.Unlock() // one reader at a time: a large tree is read once, not by everybody who waits for it
	if t, ok := s.trees[e.String()]; ok {
		return t, nil
	}
	b, err := s.folder(ctx, e).ReadFile(record.MerkleName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := merkle.Load(b)
	if err != nil {
		return nil, fmt.Errorf("epoch %s: %w", e, err)
	}
	if len(s.trees) >= keepTrees {
		clear(s.trees)
	}
	s.trees[e.String()] = t
	return t, nil
}

// leaf is an address's proof in an epoch, nil when it has no leaf.
func (s *server) leaf(ctx context.Context, e survey.Epoch, a merkle.Address) (*Proof, error) {
	t, err := s.tree(ctx, e)
	if err != nil || t == nil {
		return nil, err
	}
	l, hashes, ok := t.Proof(a)
	if !ok {
		return nil, nil
	}
	p := &Proof{Address: a.Checksum(), Epoch: e.String(), Root: t.Root().String(), Cumulative: Units(l.Amount), Proof: make([]string, len(hashes))}
	for i, h := range hashes {
		p.Proof[i] = h.String()
	}
	return p, nil
}

func (s *server) proof(ctx context.Context, in *claimIn) (*body[Proof], error) {
	e, err := s.closed(ctx, in.Epoch)
	if err != nil {
		return nil, err
	}
	a, err := merkle.ParseAddress(in.Address)
	if err != nil {
		return nil, err
	}
	p, err := s.leaf(ctx, e, a)
	if err == nil && p == nil {
		err = survey.Errorf(survey.NotFound, "%s has no leaf in epoch %s", a.Checksum(), e)
	}
	if err != nil {
		return nil, err
	}
	return &body[Proof]{*p}, nil
}

func (s *server) claims(ctx context.Context, in *struct {
	Address string `path:"address"`
}) (*body[Claims], error) {
	a, err := merkle.ParseAddress(in.Address)
	if err != nil {
		return nil, err
	}
	out := Claims{Address: a.Checksum()}
	var last string
	if err := s.DB.QueryRow(ctx, `SELECT COALESCE(MAX(epoch), '') FROM epochs`).Scan(&last); err != nil {
		return nil, err
	}
	if last == "" {
		return &body[Claims]{out}, nil
	}
	e, err := survey.ParseEpoch(last)
	if err != nil {
		return nil, err
	}
	if out.Proof, err = s.leaf(ctx, e, a); err != nil {
		return nil, err
	}
	if out.Proof != nil {
		out.Earned = out.Proof.Cumulative
	}
	if s.Chain == nil {
		return &body[Claims]{out}, nil
	}
	published, claimed, claimable := new(Units), new(Units), new(Units)
	out.Proof, out.Published, out.Claimed, out.Claimable = nil, published, claimed, claimable
	e, ok, err := s.Chain.Published(ctx)
	if err != nil {
		return nil, err
	}
	if ok {
		if out.Proof, err = s.leaf(ctx, e, a); err != nil {
			return nil, err
		}
		if out.Proof != nil {
			*published = out.Proof.Cumulative
		}
	}
	n, err := s.Chain.Claimed(ctx, a)
	if err != nil {
		return nil, err
	}
	*claimed, *claimable = Units(n), max(0, *published-Units(n))
	return &body[Claims]{out}, nil
}

func (s *server) me(ctx context.Context, c survey.ContributorID, _ *struct{}) (*body[Me], error) {
	out := Me{Contributor: string(c), Accounts: []Account{}, Epochs: []MyEpoch{}, Holds: []MyHold{}}
	for _, t := range rewards.Codes() {
		out.Codes = append(out.Codes, CodeText{string(t.Code), t.Text})
	}
	err := s.DB.QueryRow(ctx, `SELECT escrow, debt FROM reward_balances WHERE contributor_id = $1`, string(c)).Scan(&out.Escrow, &out.Debt)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return nil, err
	}
	if err := s.each(ctx, func(scan func(...any) error) error {
		var a Account
		if err := scan(&a.Address, &a.Cumulative); err != nil {
			return err
		}
		out.Earned += a.Cumulative
		if a.Address == "" {
			a.Address, a.Reserved = record.ReservedAddress(c).String(), true
		}
		out.Accounts = append(out.Accounts, a)
		return nil
	}, `SELECT address, cumulative FROM reward_accounts WHERE contributor_id = $1 ORDER BY address`, string(c)); err != nil {
		return nil, err
	}
	for i := range out.Accounts {
		a := &out.Accounts[i]
		if s.Chain == nil || a.Reserved {
			continue
		}
		x, err := s.claims(ctx, &struct {
			Address string `path:"address"`
		}{a.Address})
		if err != nil { // the chain is away: what is earned is known without it
			break
		}
		a.Claimed, a.Claimable = x.Body.Claimed, x.Body.Claimable
	}
	if err := s.each(ctx, func(scan func(...any) error) error {
		var e MyEpoch
		err := scan(&e.Epoch, &e.Amount, &e.Held, &e.Frames, &e.Cells)
		out.Epochs = append(out.Epochs, e)
		return err
	}, `SELECT epoch, amount, held, frames, cells FROM allocations WHERE contributor_id = $1 ORDER BY epoch DESC LIMIT 520`, string(c)); err != nil {
		return nil, err
	}
	err = s.each(ctx, func(scan func(...any) error) error {
		var h MyHold
		var evidence string
		var opened, deadline int64
		err := scan(&h.Drive, &h.State, &evidence, &opened, &deadline, &h.Appeal, &h.Reason)
		h.Evidence, h.OpenedAt, h.Deadline = json.RawMessage(evidence), state.Time(opened), state.Time(deadline)
		out.Holds = append(out.Holds, h)
		return err
	}, `SELECT drive_id, state, evidence, opened_at, deadline_at, appeal, reason FROM reward_holds WHERE contributor_id = $1 ORDER BY opened_at DESC, drive_id LIMIT 500`, string(c))
	if err != nil {
		return nil, err
	}
	for i := range out.Holds {
		out.Holds[i].Todo = todo(out.Holds[i])
	}
	var enrolled, sponsors int64
	if err := s.DB.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM reward_enrolled WHERE contributor_id = $1 AND revoked_at = 0), (SELECT COUNT(*) FROM reward_sponsors WHERE newcomer_id = $1 AND ended_at = 0)`,
		string(c)).Scan(&enrolled, &sponsors); err != nil {
		return nil, err
	}
	out.Enrolled, out.Sponsor, out.Newcomers = enrolled > 0, sponsors > 0, []string{}
	err = s.each(ctx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out.Newcomers = append(out.Newcomers, id)
		return err
	}, `SELECT newcomer_id FROM reward_sponsors WHERE sponsor_id = $1 AND ended_at = 0 ORDER BY newcomer_id`, string(c))
	return &body[Me]{out}, err
}

// todo says what the contributor can do about a hold, "" once it is decided.
func todo(h MyHold) string {
	if h.State != worker.HoldOpen && h.State != worker.HoldAppealed {
		return ""
	}
	var kinds []struct{ Kind string }
	json.Unmarshal(h.Evidence, &kinds) // evidence of another form has no kinds, and the general words fit
	unvouched, bond, doubt := false, false, false
	for _, k := range kinds {
		unvouched = unvouched || k.Kind == rewards.KindUnvouched
		bond = bond || k.Kind == rewards.KindBond
		doubt = doubt || k.Kind != rewards.KindUnvouched && k.Kind != rewards.KindBond
	}
	day := h.Deadline.UTC().Format("2 January 2006")
	switch {
	case bond:
		return "Your drive stands for a newcomer whom you answer for. It is paid once the operator or a fleet has enrolled the newcomer. If nobody has by " + day + " and you have not asked the operator to look, it is forfeited."
	case unvouched && !doubt && h.State == worker.HoldAppealed:
		return "The operator has your request. It waits until somebody has looked, or vouches for you."
	case unvouched && !doubt:
		return "Nothing speaks against your drive; nobody vouches for you yet. It is paid once the operator or your fleet enrols you or your camera, or, from then on, while an enrolled driver answers for you. Write here to ask the operator to look: then it waits until that is done, otherwise until " + day + "."
	case h.State == worker.HoldAppealed:
		return "Your answer is being looked at. If nobody decides by " + day + ", the drive is cleared" + map[bool]string{true: " as soon as somebody vouches for you.", false: "."}[unvouched]
	}
	return "Answer before " + day + ". Without an answer the drive earns nothing."
}

type newcomerIn struct {
	Contributor string `path:"contributor" maxLength:"64"`
}

func (s *server) sponsor(ctx context.Context, c survey.ContributorID, in *newcomerIn) (*struct{}, error) {
	return nil, s.Desk.Sponsor(ctx, c, survey.ContributorID(in.Contributor))
}

func (s *server) unsponsor(ctx context.Context, c survey.ContributorID, in *newcomerIn) (*struct{}, error) {
	return nil, s.Desk.Unsponsor(ctx, c, survey.ContributorID(in.Contributor))
}

func (s *server) each(ctx context.Context, fn func(scan func(...any) error) error, sql string, args ...any) error {
	rows, err := s.DB.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *server) statement(ctx context.Context, c survey.ContributorID, in *epochIn) (*body[Statement], error) {
	e, err := s.closed(ctx, in.Epoch)
	if err != nil {
		return nil, err
	}
	x, err := record.Explain(s.folder(ctx, e), c)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, t := range rewards.Codes() {
		texts[string(t.Code)] = t.Text
	}
	out := Statement{Epoch: e.String(), Amount: Units(x.Amount), Held: Units(x.Held), QA: Units(x.QA), Lines: []Line{}, Regions: []Pool{}, Hits: []Hit{}, Entries: []Entry{}}
	for _, r := range x.Regions {
		out.Regions = append(out.Regions, Pool{regionText(r.Cell), r.Road, r.Progress, Units(r.Pool), r.Weight, Units(r.Spent)})
	}
	for _, l := range x.Lines {
		out.Lines = append(out.Lines, Line{
			Cell: l.Cell.String(), Region: regionText(l.Region), Slot: l.Slot, Frames: l.Frames, Excluded: l.Excluded, Need: l.Need, Quality: l.Quality, Trust: l.Trust,
			Rank: l.Rank, RankWeight: l.RankWeight, Score: l.Score, Total: l.Total, Rate: Units(l.Rate), Amount: Units(l.Amount),
			DemandRate: Units(l.DemandRate), Demand: Units(l.Demand), Held: Units(l.Held), Code: l.Code, Reason: texts[l.Code],
		})
	}
	for _, h := range x.Hits {
		out.Hits = append(out.Hits, Hit{h.Order, h.Cell.String(), h.Frame, Units(h.Amount), Units(h.Held)})
	}
	for _, k := range x.Corrections {
		out.Entries = append(out.Entries, Entry{k.Epoch, k.Kind, Units(k.Amount), k.Reason, k.DecidedBy})
	}
	return &body[Statement]{out}, nil
}

func (s *server) appeal(ctx context.Context, c survey.ContributorID, in *struct {
	Drive string `path:"drive"`
	Body  struct {
		Text string `json:"text" minLength:"1" maxLength:"4000"`
	}
}) (*struct{}, error) {
	if s.Appeal == nil {
		return nil, survey.Errorf(survey.Unsupported, "appeals are not taken here")
	}
	return nil, s.Appeal(ctx, c, survey.DriveID(in.Drive), in.Body.Text)
}
