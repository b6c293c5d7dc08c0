package settle

import (
	"crypto/ecdsa"
	"os"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
)

// LoadKey reads a private key, 64 hex digits, from a file that only its owner may read, with the key's address.
func LoadKey(path string) (*ecdsa.PrivateKey, merkle.Address, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, merkle.Address{}, survey.Errorf(survey.NotFound, "key file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, merkle.Address{}, survey.Errorf(survey.Invalid, "key file %s can be read by others", path).WithHint("chmod 600 it")
	}
	k, err := crypto.LoadECDSA(path)
	if err != nil {
		return nil, merkle.Address{}, survey.Errorf(survey.Invalid, "key file %s: %w", path, err).WithHint("it holds 64 hex digits")
	}
	return k, merkle.Address(crypto.PubkeyToAddress(k.PublicKey)), nil
}
