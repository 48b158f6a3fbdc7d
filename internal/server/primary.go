package server

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/trust"
)

// PrimaryKey is the certificate of the primary key, as it is and as the agent remembers it. The zero value stands for one that the
// agent does not watch.
type PrimaryKey struct {
	File       string // name of the keystore
	Now        string // fingerprint of the certificate
	Remembered string // its fingerprint when it was last saved; empty if it was not yet
}

// primaryFile keeps the fingerprint in the agent's folder on the config volume.
const primaryFile = "primary"

// ReadPrimaryKey reads the certificate of the primary key that the text of deployment.toml names. unwatched says why the agent
// cannot watch it. err wraps javacert.ErrRefused if the server does not start with the keystore.
func ReadPrimaryKey(ctx context.Context, cfg config.Config, text []byte) (k PrimaryKey, unwatched, err error) {
	primary, err := ReadPrimary(cfg.Release, text)
	if err != nil {
		return k, err, nil
	}
	leaf, err := trust.OwnLeaf(ctx, cfg.StorePaths(primary.File), primary.Password, primary.Alias)
	if errors.Is(err, javacert.ErrRefused) {
		return k, nil, err
	}
	if err != nil {
		return k, err, nil
	}
	before, err := file.Read(filepath.Join(cfg.Server.ConfigDir, file.WorkDir, primaryFile), 1024)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, nil, err
	}
	return PrimaryKey{primary.File, leaf.Fingerprint().String(), strings.TrimSpace(string(before))}, nil, nil
}

// SavePrimaryKey remembers the fingerprint of the primary key's certificate.
func SavePrimaryKey(cfg config.Config, fingerprint string) error {
	workDir := filepath.Join(cfg.Server.ConfigDir, file.WorkDir)
	_, err := file.Write(filepath.Join(workDir, primaryFile), []byte(fingerprint+"\n"), 0o600, workDir)
	return err
}
