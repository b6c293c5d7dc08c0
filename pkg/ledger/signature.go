package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Signature is a network's word that a document is its own, as it lies beside the document.
type Signature struct {
	Format    string      `json:"format"` // "roadcomb-signature/1"
	SHA256    survey.Hash `json:"sha256"` // of the document's bytes
	Key       string      `json:"key"`    // Ed25519, base64
	Signature string      `json:"signature"`
}

// SignatureFormat names the layout of a Signature.
const SignatureFormat = "roadcomb-signature/1"

// message is what is signed: the document's format, a line feed, and the SHA-256 of its bytes in hex.
func message(format string, document survey.Hash) []byte {
	return []byte(format + "\n" + document.String())
}

// Sign gives the encoded Signature of a document of a format. The same key and document give the same bytes.
func Sign(format string, document []byte, key ed25519.PrivateKey) []byte {
	h := survey.HashOf(document)
	b, _ := json.MarshalIndent(Signature{ // cannot fail: strings
		Format: SignatureFormat, SHA256: h, Key: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, message(format, h))),
	}, "", " ")
	return append(b, '\n')
}

// Verify checks an encoded Signature against a document's bytes; what says what the document is, in errors. want is the key
// that it must be of; nil takes any, which shows that nothing was damaged but not who wrote it. What does not hold is
// Unauthorized.
func Verify(format, what string, document, signature []byte, want ed25519.PublicKey) (Signature, error) {
	var s Signature
	if len(signature) == 0 {
		return s, survey.Errorf(survey.Unauthorized, "%s is not signed", what)
	}
	if err := json.Unmarshal(signature, &s); err != nil {
		return s, survey.Errorf(survey.Invalid, "signature of %s: %w", what, err)
	}
	if s.Format != SignatureFormat {
		return s, survey.Errorf(survey.Unsupported, "signature of %s has format %.40q, this version reads %s", what, s.Format, SignatureFormat).WithHint("use a newer roadcomb")
	}
	key, err := base64.StdEncoding.DecodeString(s.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return s, survey.Errorf(survey.Unauthorized, "%s is not signed by an Ed25519 key", what)
	}
	if want != nil && !want.Equal(ed25519.PublicKey(key)) {
		return s, survey.Errorf(survey.Unauthorized, "%s is signed by another key, %s", what, s.Key).WithHint("compare it with the key that the network publishes")
	}
	h := survey.HashOf(document)
	sig, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil || s.SHA256 != h || !ed25519.Verify(key, message(format, h), sig) {
		return s, survey.Errorf(survey.Unauthorized, "the signature does not belong to %s, whose SHA-256 is %s", what, h).WithHint("one of the two was changed: fetch both again")
	}
	return s, nil
}
