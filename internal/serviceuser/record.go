package serviceuser

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// recordLimit is the largest size of a record, in bytes.
const recordLimit = 16 << 10

// Path returns the path of the record of agents with one keys file: next to that file.
func Path(keysFile string) string { return filepath.Join(filepath.Dir(keysFile), "km-user.json") }

// Record is what agents with one keys file know of the key manager's user.
type Record struct {
	User string `json:"user"`
	// Password is that of a user that the agent has made; empty for any other.
	Password string `json:"password,omitempty"`
	// Salt and Sent are a keyed hash of the user and the password that API-M has taken last. The hash tells whether API-M has the present
	// password, which API-M never shows.
	Salt string `json:"salt"`
	Sent string `json:"sent,omitempty"`
}

// Load reads the record at path. It is empty if there is none. An unreadable record is an error, because the agent would make a second
// user.
func Load(path string) (Record, error) {
	r, _, err := file.LoadJSON[Record](path, recordLimit)
	if err == nil && r.Password != "" && !IsMade(r.User) {
		err = errors.New("it has the password of a user that the agent has not made")
	}
	if err != nil {
		return Record{}, remedy.Add(fmt.Errorf("read the record of the key manager's user, %s: %w", path, err),
			"restore the file from a backup, or delete it and run with KM_SERVICE_USER=admin, then with create: the agent makes another user")
	}
	return r, nil
}

// Save replaces the file at path with the record, with mode 0600.
func (r Record) Save(path string) error {
	if _, err := file.SaveJSON(path, r, 0o600, filepath.Join(filepath.Dir(path), file.WorkDir)); err != nil {
		return remedy.Add(fmt.Errorf("write the record of the key manager's user, %s: %w", path, err),
			"let this user write the folder, set KEYS_FILE to a path in another folder, or set KM_SERVICE_USER=admin")
	}
	return nil
}

// Made reports whether the record is that of a user that the agent has made.
func (r Record) Made() bool { return r.Password != "" }

// Account returns the account of a user that the agent has made.
func (r Record) Account() Account { return Account{r.User, wso2.Secret(r.Password)} }

// Has reports whether API-M has taken this account last.
func (r Record) Has(a Account) bool {
	return r.Salt != "" && hmac.Equal([]byte(r.Sent), []byte(hash(r.Salt, a)))
}

// Taken returns the record once API-M has taken an account. It keeps a user that the agent has made, and no password of any other.
func (r Record) Taken(a Account) Record {
	if !r.Made() && r.User != a.User {
		r = Record{User: a.User}
	}
	if r.Salt == "" {
		r.Salt = rand.Text()
	}
	r.Sent = hash(r.Salt, a)
	return r
}

func hash(salt string, a Account) string {
	h := hmac.New(sha256.New, []byte(salt))
	fmt.Fprintf(h, "%q %q", a.User, string(a.Password))
	return hex.EncodeToString(h.Sum(nil))
}

// invent returns the record of a user that does not exist yet.
func invent() Record {
	return Record{User: prefix + strings.ToLower(rand.Text()[:8]), Password: NewPassword(), Salt: rand.Text()}
}

// NewPassword returns a password of 128 random bits and more that IS's rules allow: 8 to 64 characters with a digit, an upper-case and a
// lower-case letter.
func NewPassword() string { return rand.Text() + "-" + strings.ToLower(rand.Text()[:8]) + "-a0A" }
