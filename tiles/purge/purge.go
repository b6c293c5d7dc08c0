// Package purge tells the cache in front of the map (a CDN, Varnish) what to drop. Answers carry surrogate keys; when
// tiles change or a frame is taken down, its keys are put down in the database and then sent to one address that the
// operator set. A key stays put down until the cache has taken it, so that neither a crash nor a cache that is away leaves
// something stale, or something that was taken down, in front of readers.
//
// Nothing of a request decides where anything is sent.
package purge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Keys that stand for everything of a kind.
const (
	AllTiles  = "tiles"
	AllFrames = "frames"
)

// Layer is the key of all tiles of a layer.
func Layer(name string) string { return AllTiles + "/" + name }

// TileJSON is the key of a layer's TileJSON.
func TileJSON(name string) string { return Layer(name) + ".json" }

// TileZoom is the largest zoom that has keys of its own; a tile of a larger one has that of the tile above it.
const TileZoom = 6

// Tile is the key by which a tile is dropped with its neighbours.
func Tile(layer string, z, x, y int) string {
	if z > TileZoom {
		x, y, z = x>>(z-TileZoom), y>>(z-TileZoom), TileZoom
	}
	b := append(make([]byte, 0, 48), AllTiles+"/"...)
	b = append(b, layer...)
	for _, n := range [...]int{z, x, y} {
		b = strconv.AppendInt(append(b, '/'), int64(n), 10)
	}
	return string(b)
}

// Frame is the key of a frame's images.
func Frame(id survey.FrameID) string { return AllFrames + "/" + string(id) }

// Drive is the key of the images of all frames of a drive.
func Drive(id survey.DriveID) string { return "drives/" + string(id) }

// Format is how keys are written in requests to the cache.
type Format string

const (
	// SurrogateKeys posts {"surrogate_keys": [...]}, and the same in the header Surrogate-Key, as Fastly takes it.
	SurrogateKeys Format = "surrogate-key"
	// CacheTags posts {"tags": [...]}, as Cloudflare takes it. Answers then carry Cache-Tag too.
	CacheTags Format = "cache-tag"
)

// Config says where keys go. The zero value sends nothing.
type Config struct {
	URL    string // https, or http in a network that is one's own
	Format Format // "" means SurrogateKeys
	// Header is one "Name: value", usually the cache's credential.
	Header survey.Secret
	// Clock; nil means time.Now.
	Clock func() time.Time
}

// batch bounds a request: Fastly takes 256 keys, Cloudflare 100.
const batch = 100

// Hook sends keys to the cache. A nil Hook puts nothing down and sends nothing. It is safe for concurrent use.
type Hook struct {
	db     *state.DB
	url    string
	format Format
	name   string
	value  string
	now    func() time.Time
	client *http.Client
}

// New checks the settings; without a URL it gives nil. What is no good is Invalid.
func New(db *state.DB, c Config) (*Hook, error) {
	if c.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "" {
		return nil, survey.Errorf(survey.Invalid, "purge address is no http or https URL").WithHint("set it like https://api.fastly.com/service/ID/purge")
	}
	if u.User != nil {
		return nil, survey.Errorf(survey.Invalid, "purge address holds a password").WithHint("put the credential into the purge header")
	}
	h := &Hook{db: db, url: u.String(), format: cmp.Or(c.Format, SurrogateKeys), now: c.Clock}
	if h.now == nil {
		h.now = time.Now
	}
	if h.format != SurrogateKeys && h.format != CacheTags {
		return nil, survey.Errorf(survey.Invalid, "purge format %.40q is neither %s nor %s", h.format, SurrogateKeys, CacheTags)
	}
	if c.Header != "" {
		name, value, ok := strings.Cut(c.Header.Reveal(), ":")
		h.name, h.value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || h.name == "" || h.value == "" || strings.ContainsAny(c.Header.Reveal(), "\r\n") || strings.ContainsAny(h.name, " \t") {
			return nil, survey.Errorf(survey.Invalid, "purge header is not like Name: value")
		}
	}
	d := &net.Dialer{Timeout: 5 * time.Second, Control: allowed}
	h.client = &http.Client{
		Timeout: 15 * time.Second,
		// No proxy and no redirect: the credential goes where the operator said and nowhere else.
		Transport:     &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// allowed refuses the addresses at which clouds hand out a machine's credentials, whatever name leads there.
func allowed(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == awsMetadata6 {
		return survey.Errorf(survey.Invalid, "purge address leads to %s, which is never a cache", ip)
	}
	return nil
}

var awsMetadata6 = netip.MustParseAddr("fd00:ec2::254")

// Tags reports whether answers are to carry Cache-Tag.
func (h *Hook) Tags() bool { return h != nil && h.format == CacheTags }

// Add puts keys down, to be sent once the tile manifest has the version or a later one; 0 is at once.
func (h *Hook) Add(ctx context.Context, version int64, keys ...string) error {
	if h == nil || len(keys) == 0 {
		return nil
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return h.db.Tx(ctx, func(tx *state.Tx) error {
		for _, k := range keys {
			// A key that waits already waits for the later version from now on: the cache must drop what that one replaced.
			if _, err := tx.Exec(ctx, `INSERT INTO tile_purges (key, after_version, at) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET
				after_version = excluded.after_version, at = excluded.at`, k, version, state.Micros(h.now())); err != nil {
				return fmt.Errorf("put down surrogate keys: %w", err)
			}
		}
		return nil
	})
}

// Waiting is how many keys are put down and not taken by the cache.
func (h *Hook) Waiting(ctx context.Context) (n int64, err error) {
	if h == nil {
		return 0, nil
	}
	err = h.db.QueryRow(ctx, `SELECT COUNT(*) FROM tile_purges`).Scan(&n)
	return n, err
}

// Send sends what is put down for the manifest's version and before, and gives how many keys the cache took. What it
// does not take stays put down, and the error is Unavailable.
func (h *Hook) Send(ctx context.Context, version int64) (sent int, err error) {
	if h == nil {
		return 0, nil
	}
	type row struct {
		key       string
		after, at int64
	}
	for {
		var rows []row
		var keys []string
		rs, err := h.db.Query(ctx, `SELECT key, after_version, at FROM tile_purges WHERE after_version <= $1 ORDER BY at, key LIMIT $2`, version, batch)
		if err != nil {
			return sent, err
		}
		for rs.Next() {
			var r row
			if err := rs.Scan(&r.key, &r.after, &r.at); err != nil {
				return sent, errors.Join(err, rs.Close())
			}
			rows, keys = append(rows, r), append(keys, r.key)
		}
		if err := errors.Join(rs.Err(), rs.Close()); err != nil || len(rows) == 0 {
			return sent, err
		}
		if err := h.post(ctx, keys); err != nil {
			return sent, err
		}
		// What was put down again meanwhile stays.
		if err := h.db.Tx(ctx, func(tx *state.Tx) error {
			for _, r := range rows {
				if _, err := tx.Exec(ctx, `DELETE FROM tile_purges WHERE key = $1 AND after_version = $2 AND at = $3`, r.key, r.after, r.at); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return sent, err
		}
		if sent += len(keys); len(rows) < batch {
			return sent, nil
		}
	}
}

func (h *Hook) post(ctx context.Context, keys []string) error {
	body := map[string][]string{"surrogate_keys": keys}
	if h.format == CacheTags {
		body = map[string][]string{"tags": keys}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "roadcomb")
	if h.format == SurrogateKeys {
		r.Header.Set("Surrogate-Key", strings.Join(keys, " "))
	}
	if h.name != "" {
		r.Header.Set(h.name, h.value)
	}
	res, err := h.client.Do(r)
	if err != nil {
		var u *url.Error // its text holds the address, which may hold a secret
		if errors.As(err, &u) {
			err = u.Err
		}
		return survey.Errorf(survey.Unavailable, "the cache in front of the map cannot be told what to drop: %w", err).WithHint("the keys stay put down and are sent with the next tiles; check the purge address")
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return survey.Errorf(survey.Unavailable, "the cache in front of the map answers %d when told what to drop", res.StatusCode).WithHint("the keys stay put down and are sent with the next tiles; check the purge address and header")
	}
	return nil
}
