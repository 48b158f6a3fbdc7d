package wso2sim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
)

// encryptionTable is the line that the start script looks for. Whether the table has a key does not matter (api-manager#4785).
var encryptionTable = regexp.MustCompile(`(?m)^\s*\[\s*encryption\s*\]`)

// makeEncryptionKey does what API-M's start script does from 4.7.0 on before it starts the server: a deployment.toml of the home that has no
// table [encryption] gets one with a random key (api-manager.sh of product-apim v4.7.0; api-manager#4785). The entrypoint has copied the
// config volume over the home before, so that each start makes another key unless the volume has one.
func makeEncryptionKey(home string, log *slog.Logger) error {
	path := filepath.Join(home, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("make a key for encryption: %w", err)
	}
	if encryptionTable.Match(text) {
		return nil
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	text = append(text, fmt.Sprintf("\n[encryption]\nkey = %q\n", hex.EncodeToString(key[:]))...)
	if err := os.WriteFile(path, text, 0o640); err != nil {
		return fmt.Errorf("make a key for encryption: %w", err)
	}
	log.Warn("A random encryption key has been created and added to deployment.toml at <APIM_HOME>/repository/conf/deployment.toml. " +
		"Please modify this [encryption] key and follow the production guidelines in the documentation for a safe production deployment.")
	return nil
}

// encryptionKey tells the key that secrets are encrypted with from others: it is a digest of the key. It is empty in versions that encrypt
// with the key store, where a secret stays readable.
func (am *AM) encryptionKey() string {
	key := am.settings.text("encryption.key", "")
	if !am.behaviour.MakesKey || key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// undecipherable reports whether what was encrypted with a key cannot be read now.
func (am *AM) undecipherable(encryptedWith string) bool {
	return encryptedWith != "" && encryptedWith != am.encryptionKey()
}
