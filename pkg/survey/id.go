package survey

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sort"
)

// Hash is a SHA-256 digest; text form is 64 lower-case hex digits.
type Hash [sha256.Size]byte

// HashOf digests b.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// HashReader digests everything r gives and counts it.
func HashReader(r io.Reader) (Hash, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return sum(h), n, err
}

func sum(h hash.Hash) (out Hash) {
	h.Sum(out[:0])
	return out
}

func (h Hash) String() string               { return hex.EncodeToString(h[:]) }
func (h Hash) IsZero() bool                 { return h == Hash{} }
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h *Hash) UnmarshalText(b []byte) error {
	p, err := ParseHash(string(b))
	if err == nil {
		*h = p
	}
	return err
}

// ParseHash reads the text form; any other text is Invalid.
func ParseHash(s string) (h Hash, err error) {
	if len(s) != 2*len(h) {
		return h, Errorf(Invalid, "SHA-256 has %d characters, want 64 hex digits", len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, Errorf(Invalid, "SHA-256 %.64q is not hex: %w", s, err)
	}
	return h, nil
}

// Identities are the first 16 bytes of a SHA-256 as 32 lower-case hex digits, taken over a domain word and the content
// that makes the thing what it is. The same content therefore has the same identity on every machine, in any order of
// arrival, and counts once.
type (
	ContributorID string // who is paid: random at registration, never an account or an address
	DeviceID      string // what recorded: pseudonymous, see NewDeviceID
	UploadID      string // a set of files sent together
	DriveID       string // one continuous recording: frames and a trace
	FrameID       string // one image
)

const idLen = 32

// identity hashes length-prefixed parts, so that ("ab","c") and ("a","bc") differ.
func identity(domain string, parts ...string) string {
	h := sha256.New()
	for _, p := range append([]string{domain}, parts...) {
		n := len(p)
		h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil)[:idLen/2])
}

// NewUploadID identifies the set of files a contributor sends; order and names do not matter, contents do.
func NewUploadID(c ContributorID, files []Hash) UploadID {
	s := make([]string, len(files))
	for i, f := range files {
		s[i] = f.String()
	}
	sort.Strings(s)
	return UploadID(identity("upload", append([]string{string(c)}, s...)...))
}

// NewFrameID identifies an image file by its bytes. A frame cut from film uses NewFilmFrameID.
func NewFrameID(content Hash) FrameID { return FrameID(identity("frame", content.String())) }

// NewFilmFrameID identifies the frame of a film at pts, microseconds from the film's start.
func NewFilmFrameID(film Hash, ptsMicros int64) FrameID {
	return FrameID(identity("film-frame", film.String(), itoa(ptsMicros)))
}

// NewDriveID identifies a drive by the frames it is made of, in order.
func NewDriveID(c ContributorID, frames []FrameID) DriveID {
	s := make([]string, 0, len(frames)+1)
	s = append(s, string(c))
	for _, f := range frames {
		s = append(s, string(f))
	}
	return DriveID(identity("drive", s...))
}

// NewDeviceID is the pseudonym of a device: a digest of what it says it is under the contributor's id, so that neither
// a serial number nor the same device under two contributors can be read from it.
func NewDeviceID(c ContributorID, makerModelSerial string) DeviceID {
	return DeviceID(identity("device", string(c), makerModelSerial))
}

// ValidID reports whether s has the form of an identity.
func ValidID(s string) bool {
	if len(s) != idLen {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
