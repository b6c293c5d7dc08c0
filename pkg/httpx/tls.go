package httpx

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// TLS is l with TLS 1.2 or newer by the certificate and key in two PEM files. Files that were replaced are read again with
// the next connection, at most once a second, so that a renewed certificate needs no restart; while what lies there does
// not load, the last good one serves and log is told.
func TLS(l net.Listener, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &keyPair{cert: certFile, key: keyFile, log: log}
	if err := k.load(); err != nil {
		return nil, survey.Errorf(survey.Invalid, "TLS certificate: %w", err).WithHint("name PEM files: the certificate with its chain, and its key")
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: k.get}), nil
}

type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	asked   time.Time
	changed [2]time.Time
	now     *tls.Certificate
}

func (k *keyPair) times() (ts [2]time.Time, err error) {
	for i, f := range []string{k.cert, k.key} {
		st, err := os.Stat(f)
		if err != nil {
			return ts, err
		}
		ts[i] = st.ModTime()
	}
	return ts, nil
}

func (k *keyPair) load() error {
	ts, err := k.times()
	if err != nil {
		return err
	}
	c, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return err
	}
	k.now, k.changed = &c, ts
	return nil
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.asked) >= time.Second {
		k.asked = time.Now()
		if ts, err := k.times(); err != nil || ts != k.changed {
			if err := k.load(); err != nil {
				k.log.Warn("the renewed TLS certificate does not load; the last good one serves", "err", err)
			}
		}
	}
	return k.now, nil
}
