package operators

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Passwords are hashed with Argon2id (RFC 9106) at the cost that OWASP's password storage sheet names first: 19 MiB, two
// passes, one lane. The cost is kept with each hash, so that it can rise without making old ones useless.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltBytes   = 16
	hashBytes   = 32
)

// LeastPassword is the fewest characters of a password, MostPassword the most bytes.
const (
	LeastPassword = 12
	MostPassword  = 256
)

// NewPassword makes a random password for a person to keep in a password manager: 128 bits.
func NewPassword() string { return httpx.NewSecret(16) }

// hash gives the password in PHC form; "" for "".
func (o *Operators) hash(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if len([]rune(password)) < LeastPassword || len(password) > MostPassword {
		return "", survey.Errorf(survey.Invalid, "the password has %d characters", len([]rune(password))).WithHint("use %d or more, up to %d bytes", LeastPassword, MostPassword)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	key, err := o.argon(ctx, password, salt, argonPasses, argonMemory, argonLanes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes, b64(salt), b64(key)), nil
}

// argon hashes when there is room: each hash holds 19 MiB, so at most two run side by side.
func (o *Operators) argon(ctx context.Context, password string, salt []byte, t, m uint32, p uint8) ([]byte, error) {
	select {
	case o.hashes <- struct{}{}:
		defer func() { <-o.hashes }()
	case <-ctx.Done():
		return nil, survey.Errorf(survey.Busy, "too many logins at once")
	}
	return argon2.IDKey([]byte(password), salt, t, m, p, hashBytes), nil
}

// check compares in constant time. It takes as long for a hash that is not there.
func (o *Operators) check(ctx context.Context, phc, password string) (bool, error) {
	if len(password) > MostPassword {
		return false, nil
	}
	t, m, p := uint32(argonPasses), uint32(argonMemory), uint8(argonLanes)
	salt, want := make([]byte, saltBytes), []byte(nil)
	if phc != "" {
		parts := strings.Split(phc, "$") // "", argon2id, v=, m=…, salt, hash
		var v int
		if len(parts) != 6 || parts[1] != "argon2id" {
			return false, fmt.Errorf("stored password has a form unknown to this version")
		}
		if _, err := fmt.Sscanf(parts[2], "v=%d", &v); err != nil || v != argon2.Version {
			return false, fmt.Errorf("stored password: version %s", parts[2])
		}
		if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil || m > 1<<20 || t > 16 || p == 0 {
			return false, fmt.Errorf("stored password: cost %s", parts[3])
		}
		var err error
		if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
			return false, fmt.Errorf("stored password: %w", err)
		}
		if want, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
			return false, fmt.Errorf("stored password: %w", err)
		}
	}
	got, err := o.argon(ctx, password, salt, t, m, p)
	if err != nil {
		return false, err
	}
	return len(want) == hashBytes && subtle.ConstantTimeCompare(got, want) == 1, nil
}
