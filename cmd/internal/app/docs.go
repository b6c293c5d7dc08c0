package app

import (
	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/cmd/internal/clidoc"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return "For bash: roadcomb completion bash > /etc/bash_completion.d/roadcomb"
}

func (c *completionCmd) Run(e *environ, k *kong.Kong) error {
	return clidoc.Completion(e.stdout, k, c.Shell)
}

type manCmd struct{}

func (manCmd) Help() string { return "To read it: roadcomb man | man -l -" }

func (manCmd) Run(e *environ, k *kong.Kong) error { return clidoc.Man(e.stdout, k, Version) }
