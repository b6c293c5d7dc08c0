package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/roadcomb/roadcomb/pkg/store/embeds3"
)

type storeCmd struct {
	Home   string `help:"Data folder; the objects lie in objects/ and the keys in secrets.json." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	Listen string `help:"Where it listens." default:"127.0.0.1:9000" env:"ROADCOMB_S3_LISTEN" placeholder:"ADDR"`
}

func (storeCmd) Help() string {
	return "Prints its address once it answers; the access key and the secret are in secrets.json of the data folder. Any other S3 server does as well."
}

func (c *storeCmd) Run(ctx context.Context, e *environ) error {
	sec, err := loadSecrets(c.Home)
	if err != nil {
		return err
	}
	s, err := embeds3.Start(ctx, filepath.Join(c.Home, "objects"), c.Listen, sec.S3Key, sec.S3Secret.Reveal())
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "store: %s\n", s.Endpoint)
	<-ctx.Done()
	return s.Close()
}
