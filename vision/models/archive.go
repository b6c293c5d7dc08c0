package models

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// unpack reads one file out of a .tgz (npm; its top folder "package/" is added) or a .whl/.zip archive.
func unpack(archive, path string) ([]byte, error) {
	if strings.HasSuffix(archive, ".whl") || strings.HasSuffix(archive, ".zip") {
		z, err := zip.OpenReader(archive)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		f, err := z.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxModel))
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(g); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, survey.Errorf(survey.NotFound, "the package holds no %s", path)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == "package/"+path {
			return io.ReadAll(io.LimitReader(t, maxModel))
		}
	}
}
