package upload

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// SigningText is what a device signs with Ed25519: the words "roadcomb-manifest-v1", the contributor's id and the
// upload's id, each on a line of its own. The upload's id is a digest over the contributor and every file's SHA-256, so
// that the signature covers the footage and can be replayed for nothing else.
func SigningText(c survey.ContributorID, u survey.UploadID) []byte {
	return []byte("roadcomb-manifest-v1\n" + string(c) + "\n" + string(u) + "\n")
}

// Signature is a device's signature over SigningText, in hex.
type Signature struct {
	Key string `json:"key" doc:"The device's Ed25519 public key, 64 hex digits."`
	Sig string `json:"sig" doc:"Ed25519 over three lines: roadcomb-manifest-v1, the contributor's id, the upload's id; 128 hex digits."`
}

// Sign makes the signature.
func Sign(k ed25519.PrivateKey, c survey.ContributorID, u survey.UploadID) Signature {
	return Signature{hex.EncodeToString(k.Public().(ed25519.PublicKey)), hex.EncodeToString(ed25519.Sign(k, SigningText(c, u)))}
}

// Verify gives Invalid unless the signature is the key's over SigningText.
func (s Signature) Verify(c survey.ContributorID, u survey.UploadID) error {
	key, kerr := hex.DecodeString(s.Key)
	sig, serr := hex.DecodeString(s.Sig)
	if kerr != nil || serr != nil || len(key) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize {
		return survey.Errorf(survey.Invalid, "the signature is not a key of 64 and a signature of 128 hex digits")
	}
	if !ed25519.Verify(key, SigningText(c, u), sig) {
		return survey.Errorf(survey.Invalid, "the signature is not that of key %s over this upload", s.Key)
	}
	return nil
}

// LoadKey reads a device key (PKCS #8 in PEM). A missing file is NotFound.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, survey.Errorf(survey.NotFound, "device key: %w", err)
	}
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "device key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, survey.Errorf(survey.Invalid, "device key %s is not PEM", path)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "device key %s: %w", path, err)
	}
	ed, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, survey.Errorf(survey.Invalid, "device key %s is not Ed25519", path)
	}
	return ed, nil
}

// CreateKey makes a device key in a new file that only its owner can read. An existing file is Conflict.
func CreateKey(path string) (ed25519.PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, survey.Errorf(survey.Invalid, "folder of the device key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, survey.Errorf(survey.Conflict, "device key: %w", err)
	}
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "device key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return k, errors.Join(err, f.Sync(), f.Close())
}
