package survey

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that opens something: a key, a token, a password, an address with a password in it. However it is
// printed, logged or encoded, it is Redacted; only Reveal gives it out, so that every place that does can be found by
// that name. The zero value is no secret and prints as nothing.
type Secret string

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// Reveal is the secret itself: for the one who is to be shown it, or who compares.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// Format writes String whatever the verb, so that no %x or %#v shows more.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what slog writes, also for a secret inside a group.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what JSON, XML and text encoders write. A file that must hold the secret reveals it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
