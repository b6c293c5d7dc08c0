//go:build !linux

package app

// sandbox does nothing on systems without Landlock: the engine's own locks hold there too.
func sandbox(string) (landlock bool, err error) { return false, nil }
