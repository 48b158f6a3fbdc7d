package server

import (
	"bytes"
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

// KeyVariable is the variable with the encryption key of a person in the server's environment, see Needs.SecretsEnv.
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
	OldKey   bool   // deployment.toml has an [encryption] old_key, with which the server reads what it encrypted before
	Keystore bool   // deployment.toml has the server encrypt with the primary keystore
	ByHand   bool   // SETTINGS is none: the agent writes no key into deployment.toml
	Database DatabaseState
}

// KeyDecision is what to do about the encryption key.
type KeyDecision struct {
	Make    bool      // make a key, and record it
	Record  KeyRecord // the record from now on, unless Make is set
	Warning string    // for the log; empty: all is well
	Open    bool      // the warning: everybody knows the key
	Lost    bool      // the warning: the server cannot read what it has encrypted before
}

// Decide decides on the key. A key that a database was encrypted with never changes. Errors wrap ErrKey: the server must not start.
//
// API-M 4.7 and later make a key at each start without one (EncryptionKeyGenerator, which api-manager.sh runs; api-manager#4785), in the
// copy of deployment.toml in their home, which the next start replaces. So a used database without a known key is refused. IS has a
// default key, with which it reads a used database, so it only gets a warning, and no other key.
func (e KeyEvidence) Decide() (d KeyDecision, err error) {
	d.Record = e.Record
	given := e.Given != "" && e.Given != newKey
	unset := e.InFile == keyReference && e.known() == "" && !given
	refused := func(what, how string, args ...any) (KeyDecision, error) {
		return KeyDecision{}, remedy.Add(fmt.Errorf("%w: %s", ErrKey, what), how, args...)
	}
	switch {
	case !e.Release.EncryptionKey || e.Keystore:
		if given {
			d.Warning = "the server encrypts with its primary keystore, so ENCRYPTION_KEY has no effect"
		}
		return d, nil
	case e.ByHand && e.InFile == "" && e.Release.EncryptionKeyMade && e.Database == UsedDatabase:
		return KeyDecision{}, remedy.Add(fmt.Errorf("%w: %w", ErrKey, errByHand), "write the key that the server used into deployment.toml, as key of [encryption]; if it never had one there, write one of 64 hexadecimal digits (openssl rand -hex 32), and give the server its secrets again")
	case e.ByHand && (e.InFile == "" || unset):
		d.Warning, d.Open, d.Lost = e.lacking()
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
	case (given || e.Given == newKey && e.Database == UsedDatabase) && e.hasDefault():
		return refused(fmt.Sprintf("the database is %s, and ENCRYPTION_KEY would replace the key that IS has encrypted its secrets with, by default one that is not in deployment.toml", e.Database),
			"remove ENCRYPTION_KEY, or write the new key as key and the former one as old_key into [encryption] of deployment.toml; if the database is new, or another node of IS has encrypted with this ENCRYPTION_KEY, write it as key")
	case given:
		if e.Record.Key == "" {
			d.Record = recordOf(e.Given, false)
		}
	case e.Record.Key != "", e.Record.matches(e.InFile): // the agent has the key
	case e.InFile == keyReference && e.Record.Digest == "": // also with new, which may be left from the first start
		return refused("deployment.toml takes it from ENCRYPTION_KEY, and the agent does not have it", giveKey+"; if the database is new, remove key from [encryption] of deployment.toml", keyFile)
	case e.Database == NewDatabase, e.Given == newKey && e.Record.Digest == "":
		d.Make = true
	case e.Record.Digest != "":
		return refused("the key that the server has encrypted its secrets with is gone", giveKey, keyFile)
	case e.Release.EncryptionKeyMade:
		return refused(fmt.Sprintf("the database is %s, and no key is known: the server would make another one at each start, and could not read its secrets any more", e.Database),
			"set ENCRYPTION_KEY_FILE to a file with the key that the server used, or ENCRYPTION_KEY=new if the database is new or has only secrets of a release that encrypted with the keystore")
	default:
		d.Warning, d.Open = defaultKey, true
	}
	if e.Given == newKey && e.Record.Digest != "" && d.Warning == "" {
		d.Warning = "the agent has the key already: remove ENCRYPTION_KEY=new, with which it makes another key if the config volume is lost"
	}
	return d, nil
}

// errByHand refuses a start with SETTINGS=none.
var errByHand = errors.New("the database is used, deployment.toml has no key, and SETTINGS is none: the server would make another key at each start, and could not read its secrets any more")

// hasDefault reports whether IS may have encrypted with its default key, or with one that nothing here names.
func (e KeyEvidence) hasDefault() bool {
	return !e.Release.EncryptionKeyMade && e.Database != NewDatabase && e.Record.Digest == "" && e.InFile == "" && !e.OldKey
}

// defaultKey is the warning of a used database of IS without a key.
const defaultKey = "IS encrypts with the default key, which everybody knows: change it as WSO2's documentation says (old_key and key in [encryption]), because only IS can encrypt what its database has again"

// lacking returns the warning of a deployment.toml that has no key, and that the agent does not write.
func (e KeyEvidence) lacking() (warning string, open, lost bool) {
	const none = "deployment.toml has no [encryption] key, and SETTINGS is none: "
	switch made, fresh := e.Release.EncryptionKeyMade, e.Database == NewDatabase; {
	case e.InFile == keyReference:
		return "deployment.toml takes the [encryption] key from ENCRYPTION_KEY, which the agent does not have, and SETTINGS is none: set ENCRYPTION_KEY_FILE to a file with the key", false, false
	case made && fresh:
		return none + "the server makes another key at each start; write a key into the file before the first start", false, false
	case made:
		return fmt.Sprintf("%sthe database is %s, and the server makes another key at each start and cannot read what it encrypted before; write the key that it used into the file", none, e.Database), false, true
	case fresh:
		return none + "IS encrypts with the default key, which everybody knows; write a key into the file before the first start", true, false
	}
	return defaultKey, true, false
}

// ofPerson decides on a key that a person has written into deployment.toml. It stays.
func (e KeyEvidence) ofPerson(d KeyDecision, given bool) (KeyDecision, error) {
	switch {
	case given && !reference(e.InFile) && e.Given != e.InFile:
		return KeyDecision{}, remedy.Add(fmt.Errorf("%w: deployment.toml and ENCRYPTION_KEY have different keys", ErrKey), "remove one of them: keep the key that the server has encrypted its secrets with")
	case given && e.Given == e.InFile && e.Record.Digest != "" && e.Database == NewDatabase: // a kill after replaceKey
		d.Record = recordOf(e.Given, false)
	case strings.EqualFold(e.InFile, worldKey):
		d.Open, d.Warning = true, "[encryption] key of deployment.toml is the default of IS, which everybody knows: change it as WSO2's documentation says (old_key and key in [encryption])"
	case e.Record.Digest != "":
		d.Warning = "somebody has replaced the [encryption] key that the agent recorded: the server reads what it encrypted before only if [encryption] old_key has the former key"
	}
	return d, nil
}

// giveKey is the remedy for a key that the agent lacks.
const giveKey = "if the server's container has the key, set ENCRYPTION_KEY_FILE next to the agent too; otherwise " + restoreKey

// restoreKey is the remedy for a key that is gone.
const restoreKey = "restore ENCRYPTION_KEY_FILE, or the file %s in the agent's folder on the config volume"

// keyReference stands in deployment.toml for the key, with Needs.SecretsEnv.
const keyReference = "$env{" + KeyVariable + "}"

// known returns the key that the agent has apart from deployment.toml; empty if it has none.
func (e KeyEvidence) known() string {
	switch {
	case e.Record.Key != "":
		return e.Record.Key
	case e.Record.matches(e.Given):
		return e.Given
	}
	return ""
}

// value returns the key for deployment.toml and for the server's environment; empty if the agent has none, or none to write.
func (e KeyEvidence) value() string {
	switch ours := e.InFile == "" || e.InFile == keyReference || e.Record.matches(e.InFile); {
	case !e.Release.EncryptionKey, e.Keystore, !ours:
		return ""
	case e.known() != "":
		return e.known()
	case e.InFile != keyReference:
		return e.InFile
	}
	return ""
}

// needed returns [encryption] key for deployment.toml; empty: it stays as it is. Only a key that a person gives by ENCRYPTION_KEY can come
// from the server's environment: without agent exec nobody puts one there that the agent has made, or that stands in the file alone.
func (e KeyEvidence) needed(secretsEnv bool) string {
	key := e.value()
	if secretsEnv && key != "" && key == e.Given {
		return keyReference
	}
	return key
}

// readKey reads what decides on the key. text is that of deployment.toml.
func readKey(cfg config.Config, text []byte) (e KeyEvidence, err error) {
	e.Release, e.Given, e.ByHand = cfg.Release, cfg.Settings.EncryptionKey, cfg.Settings.Mode == "none"
	if e.InFile, e.OldKey, e.Keystore, err = keyOf(text); err != nil {
		return e, err
	}
	e.Record, err = readKeyRecord(notify.ControlOf(cfg).Dir)
	return e, err
}

// readKeyRecord reads the record in the agent's folder.
func readKeyRecord(dir string) (r KeyRecord, err error) {
	path := filepath.Join(dir, keyFile)
	data, err := file.Read(path, 256)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read the record of the server's encryption key: %w", err)
	}
	line := strings.TrimSpace(string(data))
	if digest, isDigest := strings.CutPrefix(line, "sha256:"); isDigest {
		return KeyRecord{Digest: digest}, nil
	}
	if !config.IsKey(line) {
		return r, remedy.Add(fmt.Errorf("%s is no record of an encryption key", path), "restore it")
	}
	return recordOf(line, true), nil
}

// keyBack returns the text of a deployment.toml with the key itself where the file takes it from the server's environment, if only the
// agent has the key. dir is the agent's folder.
func keyBack(text []byte, dir string) ([]byte, []Change, error) {
	record, err := readKeyRecord(dir)
	if err != nil || record.Key == "" {
		return text, nil, err
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	v, there := doc.Get(encryptionKey...)
	if !there || v.Data != keyReference {
		return text, nil, nil
	}
	c := Change{Setting: deployment.Path(encryptionKey...), Line: v.Line, Was: doc.Text(v), Action: Replaced, Secret: true}
	if err := doc.Set(record.Key, encryptionKey...); err != nil {
		return nil, nil, fmt.Errorf("write the encryption key into deployment.toml: %w", err)
	}
	if v, there = doc.Get(encryptionKey...); there {
		c.Now = doc.Text(v)
	}
	return doc.Bytes(), []Change{c}, nil
}

// OnlyRecord returns the path of the record with the encryption key that the agent has made, if a text of the file does not have the key;
// empty if nothing is lost with the record.
func (f SettingsFile) OnlyRecord(text []byte) (path string, err error) {
	record, err := readKeyRecord(f.WorkDir)
	if err != nil || record.Key == "" || bytes.Contains(text, []byte(record.Key)) {
		return "", err
	}
	return filepath.Join(f.WorkDir, keyFile), nil
}

// replaceKey writes another key into the file, which has the given text. The agent's settings stay the agent's, also at a kill.
func (f SettingsFile) replaceKey(text []byte, key string) error {
	doc, err := deployment.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	record, err := f.record()
	if err != nil {
		return err
	}
	name := deployment.Path(encryptionKey...)
	was, _ := doc.Get(encryptionKey...)
	ours := record.wrote(name, doc.Text(was))
	if err := doc.Set(key, encryptionKey...); err != nil {
		return fmt.Errorf("write the encryption key into deployment.toml: %w", err)
	}
	if now, there := doc.Get(encryptionKey...); there && ours {
		w := record[name]
		w.Text, w.Pending = doc.Text(was), doc.Text(now)
		record[name] = w
		if err := f.remember(record); err != nil {
			return err
		}
	}
	if _, err := file.Replace(f.Path, text, doc.Bytes(), 0o600, f.tempDir()); err != nil {
		return fmt.Errorf("write the encryption key into deployment.toml: %w", err)
	}
	return nil
}

// keyOf reads the key from the text of a deployment.toml. old says that it has an old key too, and keystore that the server encrypts with its
// primary keystore. The key generator of API-M asks for the same keystore.
func keyOf(text []byte) (key string, old, keystore bool, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return "", false, false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if v, there := doc.Get(encryptionKey...); there {
		key, _ = v.Data.(string)
	}
	_, old = doc.Get("encryption", "old_key")
	provider, _ := doc.Get("encryption", "internal_crypto_provider")
	class, _ := provider.Data.(string)
	cipher, _ := doc.Get("system", "parameter", "org.wso2.CipherTransformation")
	transformation, _ := cipher.Data.(string)
	return key, old, strings.HasSuffix(class, ".KeyStoreBasedInternalCryptoProvider") || strings.HasPrefix(strings.ToUpper(transformation), "RSA/"), nil
}

// JudgeKey returns what is wrong with the encryption key of a server with a used database: a warning, or an error that wraps [ErrKey]. text is
// that of its deployment.toml.
func JudgeKey(cfg config.Config, text []byte) (KeyDecision, error) {
	e, err := readKey(cfg, text)
	if err != nil {
		return KeyDecision{}, err
	}
	if e.Database, err = ReadDatabase(cfg, text); err != nil || e.Database != UsedDatabase {
		return KeyDecision{}, err
	}
	return e.Decide()
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
	case e.ByHand && errors.Is(err, ErrKey) && !errors.Is(err, errByHand): // a person answers for the file
		text, remedies := remedy.Split(err)
		log.Warn(text, "remedy", strings.Join(remedies, "; "))
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
	if e.Record.matches(e.InFile) && !d.Record.matches(e.InFile) { // before the record: a kill leaves the key that the server starts with in the file
		if err := SettingsFileOf(cfg).replaceKey(text, e.Given); err != nil {
			return err
		}
		log.Info("the agent has replaced the key in deployment.toml by that of ENCRYPTION_KEY: the server has encrypted nothing yet", "setting", deployment.Path(encryptionKey...))
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
