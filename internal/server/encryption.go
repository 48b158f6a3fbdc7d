package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
)

// KeyVariable is the variable with the encryption key in the server's environment, see Needs.SecretsEnv.
const KeyVariable = "ENCRYPTION_KEY"

// newKey is the value of ENCRYPTION_KEY that makes a key although the database may be a used one.
const newKey = "new"

// keyFile holds the KeyRecord, on the config volume.
const keyFile = "encryption-key"

// worldKey is the key in default.json of every IS 7, which IS takes without a key of its own (product-is#25887). IS encrypts with
// it, and anybody can decrypt.
const worldKey = "03BAFEB27A8E871CAD83C5CD4E771DAB"

// encryptionKey is the path of the key in deployment.toml.
var encryptionKey = []string{"encryption", "key"}

// ErrKey says that the server must not start, because it would encrypt with another key than before.
var ErrKey = errors.New("the encryption key of the server")

// KeyRecord is what the agent remembers of the server's encryption key.
type KeyRecord struct {
	Key    string // the key that the agent has made; empty for one that a person gives by ENCRYPTION_KEY
	Digest string // SHA-256 of the key, in hexadecimal digits; empty: there is no key
}

func recordOf(key string, made bool) KeyRecord {
	r := KeyRecord{Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(key)))}
	if made {
		r.Key = key
	}
	return r
}

// matches reports whether the record is that of the key.
func (r KeyRecord) matches(key string) bool {
	return r.Digest != "" && r.Digest == recordOf(key, false).Digest
}

// KeyEvidence is what decides on the encryption key of a server. It is plain data, read once.
type KeyEvidence struct {
	Release  product.Release
	Given    string // ENCRYPTION_KEY: "new", a key, or empty
	Record   KeyRecord
	InFile   string // [encryption] key of deployment.toml, as the server reads it; empty: there is none
	Keystore bool   // deployment.toml has the server encrypt with the primary keystore
	Database DatabaseState
}

// KeyDecision is what to do about the encryption key.
type KeyDecision struct {
	Make    bool      // make a key, and record it
	Record  KeyRecord // the record from now on, unless Make is set
	Warning string    // for the log; empty: all is well
}

// Decide decides on the key. A key that a database was encrypted with never changes. Errors wrap ErrKey: the server must not start.
//
// API-M 4.7 and later make a key at each start without one (EncryptionKeyGenerator, which api-manager.sh runs; api-manager#4785), in the
// copy of deployment.toml in their home, which the next start replaces. So a used database without a known key is refused. IS has a
// default key, with which it reads a used database, so it only gets a warning.
func (e KeyEvidence) Decide() (d KeyDecision, err error) {
	d.Record = e.Record
	given := e.Given != "" && e.Given != newKey
	refused := func(what, how string, args ...any) (KeyDecision, error) {
		return KeyDecision{}, remedy.Add(fmt.Errorf("%w: %s", ErrKey, what), how, args...)
	}
	switch {
	case !e.Release.EncryptionKey || e.Keystore:
		if given {
			d.Warning = "the server encrypts with its primary keystore, so ENCRYPTION_KEY has no effect"
		}
		return d, nil
	case given && len(e.Given) > e.Release.KeyDigits:
		return refused(fmt.Sprintf("ENCRYPTION_KEY has %d digits, and %s reads at most %d", len(e.Given), e.Release.Name(), e.Release.KeyDigits),
			"set one of 32 hexadecimal digits (openssl rand -hex 16)")
	case e.InFile != "" && e.InFile != keyReference && !e.Record.matches(e.InFile):
		return e.ofPerson(d, given)
	case e.Record.Digest != "" && given && !e.Record.matches(e.Given):
		if e.Database != NewDatabase {
			return refused("ENCRYPTION_KEY is another key than the one that the server has encrypted its secrets with", "restore the former ENCRYPTION_KEY, or remove it if the agent has made that key")
		}
		d.Record = recordOf(e.Given, false)
	case given:
		if e.Record.Key == "" {
			d.Record = recordOf(e.Given, false)
		}
	case e.Record.Key != "", e.Record.matches(e.InFile): // the agent has the key
	case e.Database == NewDatabase, e.Given == newKey && e.Record.Digest == "":
		d.Make = true
	case e.Record.Digest != "", e.InFile == keyReference:
		return refused("the key that the server has encrypted its secrets with is gone", "restore ENCRYPTION_KEY_FILE, or the file %s in the agent's folder on the config volume", keyFile)
	case e.Release.EncryptionKeyMade:
		return refused(fmt.Sprintf("the database is %s, and no key is known: the server would make another one at each start, and could not read its secrets any more", e.Database),
			"set ENCRYPTION_KEY_FILE to a file with the key that the server used, or ENCRYPTION_KEY=new if the database is new or has only secrets of a release that encrypted with the keystore")
	default:
		d.Warning = "IS encrypts with the default key, which everybody knows: change it as WSO2's documentation says (old_key and key in [encryption]), because only IS can encrypt what its database has again"
	}
	return d, nil
}

// ofPerson decides on a key that a person has written into deployment.toml. It stays.
func (e KeyEvidence) ofPerson(d KeyDecision, given bool) (KeyDecision, error) {
	switch {
	case given && !reference(e.InFile) && e.Given != e.InFile:
		return KeyDecision{}, remedy.Add(fmt.Errorf("%w: deployment.toml and ENCRYPTION_KEY have different keys", ErrKey), "remove one of them: keep the key that the server has encrypted its secrets with")
	case strings.EqualFold(e.InFile, worldKey):
		d.Warning = "[encryption] key of deployment.toml is the default of IS, which everybody knows: change it as WSO2's documentation says (old_key and key in [encryption])"
	case e.Record.Digest != "":
		d.Warning = "somebody has replaced the [encryption] key that the agent recorded: the server reads what it encrypted before only if [encryption] old_key has the former key"
	}
	return d, nil
}

// keyReference stands in deployment.toml for the key, with Needs.SecretsEnv.
const keyReference = "$env{" + KeyVariable + "}"

// value returns the key for deployment.toml and for the server's environment; empty if the agent has none, or none to write.
func (e KeyEvidence) value() string {
	switch ours := e.InFile == "" || e.InFile == keyReference || e.Record.matches(e.InFile); {
	case !e.Release.EncryptionKey, e.Keystore, !ours:
		return ""
	case e.Record.Key != "":
		return e.Record.Key
	case e.Record.matches(e.Given):
		return e.Given
	case e.InFile != keyReference:
		return e.InFile
	}
	return ""
}

// readKey reads what decides on the key. text is that of deployment.toml.
func readKey(cfg config.Config, text []byte) (e KeyEvidence, err error) {
	e.Release, e.Given = releaseOf(cfg), cfg.Settings.EncryptionKey
	if e.InFile, e.Keystore, err = keyOf(text); err != nil {
		return e, err
	}
	path := filepath.Join(notify.ControlOf(cfg).Dir, keyFile)
	data, err := file.Read(path, 256)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("read the record of the server's encryption key: %w", err)
	}
	line := strings.TrimSpace(string(data))
	digest, isDigest := strings.CutPrefix(line, "sha256:")
	switch {
	case !config.IsKey(line) && !isDigest:
		return e, remedy.Add(fmt.Errorf("%s is no record of an encryption key", path), "restore it")
	case isDigest:
		e.Record = KeyRecord{Digest: digest}
	default:
		e.Record = recordOf(line, true)
	}
	return e, nil
}

// keyOf reads the key from the text of a deployment.toml. keystore says that the server encrypts with its primary keystore. The key generator
// of API-M asks for the same.
func keyOf(text []byte) (key string, keystore bool, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if v, there := doc.Get(encryptionKey...); there {
		key, _ = v.Data.(string)
	}
	provider, _ := doc.Get("encryption", "internal_crypto_provider")
	class, _ := provider.Data.(string)
	cipher, _ := doc.Get("system", "parameter", "org.wso2.CipherTransformation")
	transformation, _ := cipher.Data.(string)
	return key, strings.HasSuffix(class, ".KeyStoreBasedInternalCryptoProvider") || strings.HasPrefix(strings.ToUpper(transformation), "RSA/"), nil
}

// releaseOf returns the release of the own server by the name of its home, or the default.
func releaseOf(cfg config.Config) product.Release {
	if r, err := product.FromHome(cfg.Server.Home); err == nil && r.Product == cfg.Server.Product {
		return r
	}
	return product.Default(cfg.Server.Product)
}

// KeyWarning returns what is wrong with the encryption key of a server with a used database, for a person; empty if nothing is known to be. text
// is that of its deployment.toml.
func KeyWarning(cfg config.Config, text []byte) (string, error) {
	e, err := readKey(cfg, text)
	if err != nil {
		return "", err
	}
	if e.Database, err = ReadDatabase(cfg, text); err != nil || e.Database != UsedDatabase {
		return "", err
	}
	d, err := e.Decide()
	return d.Warning, err
}

// PrepareKey makes sure, before a start of the server, that it encrypts with the key that it has encrypted with before. On a new database it
// makes a key, and records it before anything else has it. It logs a warning. lock keeps other agents away from the server's files. A server
// that runs already has read its key, and PrepareKey does nothing. Errors wrap ErrKey if the server must not start.
func PrepareKey(ctx context.Context, cfg config.Config, log *slog.Logger, lock func(context.Context) (unlock func(), err error)) error {
	if running, err := notify.ControlOf(cfg).Present(); running || err != nil {
		return err
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	text, err := ReadOwn(ctx, cfg)
	if err != nil || text == nil {
		return err
	}
	e, err := readKey(cfg, text)
	if err != nil {
		return err
	}
	if e.Database, err = ReadDatabase(cfg, text); err != nil {
		return err
	}
	d, err := e.Decide()
	switch {
	case cfg.Settings.Mode == "none" && (d.Make || errors.Is(err, ErrKey)):
		log.Warn("deployment.toml has no [encryption] key, and SETTINGS is none", "setting", deployment.Path(encryptionKey...))
		return nil
	case err != nil:
		return err
	case d.Warning != "":
		log.Warn(d.Warning)
	}
	if d.Make {
		key := make([]byte, e.Release.KeyDigits/2)
		rand.Read(key) // it never fails
		d.Record = recordOf(hex.EncodeToString(key), true)
		log.Info("the agent has made the key with which the server encrypts secrets in its database: back up the config volume with the database", "file", keyFile)
	}
	if d.Record == e.Record {
		return nil
	}
	line := d.Record.Key
	if line == "" {
		line = "sha256:" + d.Record.Digest
	}
	dir := notify.ControlOf(cfg).Dir
	if _, err := file.Write(filepath.Join(dir, keyFile), []byte(line+"\n"), 0o600, dir); err != nil {
		return fmt.Errorf("record the server's encryption key: %w", err)
	}
	return nil
}
