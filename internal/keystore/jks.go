package keystore

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"sort"
	"time"

	jksfile "github.com/pavlo-v-chernykh/keystore-go/v4"

	"wso2agent/internal/remedy"
)

// jksCertificateType is what Java writes before every certificate.
const jksCertificateType = "X.509"

// jks is a JKS file. keystore-go holds its content; list is the same content in the order of the file, which
// keystore-go does not keep. Once edited, a file is written in the order of its aliases, so that the same content
// always gives the same bytes.
type jks struct {
	file     jksfile.KeyStore
	password []byte
	list     []jksEntry
	trailing []byte // bytes behind the digest, which Java ignores
}

func newJKSFile() jksfile.KeyStore {
	return jksfile.New(jksfile.WithOrderedAliases(), jksfile.WithCaseExactAliases())
}

func newJKS(text string) (codec, error) {
	password, err := latin1(text)
	if err != nil {
		return nil, err
	}
	return &jks{file: newJKSFile(), password: password}, nil
}

func openJKS(data []byte, text string) (codec, error) {
	list, end, err := scanJKS(data)
	if err != nil {
		return nil, err
	}
	password, err := latin1(text)
	if err != nil {
		return nil, err
	}
	j := &jks{file: newJKSFile(), password: password, list: list, trailing: data[end:]}
	if err := j.file.Load(bytes.NewReader(data[:end]), password); err != nil {
		return nil, j.explain()
	}
	return j, nil
}

// explain tells why a file that is sound in form does not load: its digest covers password and content together, so
// only a key that decrypts shows that the password is right.
func (j *jks) explain() error {
	for _, e := range j.list {
		if e.Kind == KeyEntry && checkProtectedKey(e.key) == nil {
			if _, err := j.file.GetPrivateKeyEntry(e.rawAlias, j.password); err == nil {
				return fmt.Errorf("the password decrypts the key %q, but the digest does not match: %w", e.Alias, ErrDamaged)
			}
		}
	}
	return fmt.Errorf("its digest does not match, so the password is wrong or the file was changed: %w", ErrPassword)
}

// latin1 gives a password the form that keystore-go turns into Java's: it puts a zero before every byte, and Java
// hashes two bytes per character. Characters beyond Latin-1 have no such form.
func latin1(text string) ([]byte, error) {
	password := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, remedy.Add(fmt.Errorf("the password has a character beyond Latin-1, which is not supported for JKS: %w", ErrPassword), toPKCS12)
		}
		password = append(password, byte(r))
	}
	return password, nil
}

func (j *jks) entries() []Entry {
	all := make([]Entry, len(j.list))
	for i, e := range j.list {
		all[i] = e.Entry
	}
	return all
}

func (j *jks) privateKey(at int, text string) (crypto.Signer, error) {
	password, err := latin1(text)
	if err != nil {
		return nil, err
	}
	if key := j.list[at].key; key != nil {
		if err := checkProtectedKey(key); err != nil {
			return nil, err
		}
	}
	entry, err := j.file.GetPrivateKeyEntry(j.list[at].rawAlias, password)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", ErrPassword)
	}
	return parseSigner(entry.PrivateKey)
}

// checkProtectedKey refuses what keystore-go would panic on: it takes the salt and the digest around the key for
// granted.
func checkProtectedKey(key []byte) error {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	rest, err := asn1.Unmarshal(key, &info)
	if err != nil || len(rest) > 0 || len(info.Key) <= 2*sha1.Size {
		return fmt.Errorf("the encrypted key is none: %w", ErrDamaged)
	}
	if len(info.Key) > maxKeyBytes {
		return fmt.Errorf("a private key of %d bytes, at most %d are read: %w", len(info.Key), maxKeyBytes, ErrTooLarge)
	}
	if !info.Algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}) {
		return fmt.Errorf("the key is encrypted with %s, which is not supported: %w", info.Algorithm.Algorithm, ErrFormat)
	}
	return nil
}

func (j *jks) addTrusted(alias string, cert Certificate, created time.Time) error {
	e := jksEntry{Entry: Entry{Alias: alias, Kind: TrustedCertificate}, rawAlias: encodeJavaUTF8(alias)}
	return j.put(len(j.list), e, cert, created)
}

func (j *jks) replaceTrusted(at int, cert Certificate, created time.Time) error {
	return j.put(at, j.list[at], cert, created)
}

func (j *jks) put(at int, e jksEntry, cert Certificate, created time.Time) error {
	e.Chain, e.Created, e.size = []Certificate{cert}, time.UnixMilli(unixMilli(created)), 0
	err := j.file.SetTrustedCertificateEntry(e.rawAlias, jksfile.TrustedCertificateEntry{
		CreationTime: e.Created,
		Certificate:  jksfile.Certificate{Type: jksCertificateType, Content: cert.DER},
	})
	if err != nil {
		return err
	}
	j.list = slices.Replace(j.list, at, min(at+1, len(j.list)), e)
	j.sort()
	return nil
}

func (j *jks) sort() {
	sort.Slice(j.list, func(a, b int) bool { return j.list[a].rawAlias < j.list[b].rawAlias }) // slices.SortFunc adds 15 KB for each type
}

func (j *jks) remove(alias string) error {
	j.list = slices.DeleteFunc(j.list, func(e jksEntry) bool {
		gone := e.Kind == TrustedCertificate && sameAlias(e.Alias, alias)
		if gone {
			j.file.DeleteEntry(e.rawAlias)
		}
		return gone
	})
	j.sort()
	return nil
}

func (j *jks) setKey(k newKey) error {
	password, err := latin1(k.password)
	if err != nil {
		return err
	}
	info, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return fmt.Errorf("a private key of type %T cannot be written: %w", k.key, ErrFormat)
	}
	entry := jksfile.PrivateKeyEntry{CreationTime: time.UnixMilli(unixMilli(k.created)), PrivateKey: info}
	for _, c := range k.chain {
		entry.CertificateChain = append(entry.CertificateChain, jksfile.Certificate{Type: jksCertificateType, Content: c.DER})
	}
	e := jksEntry{Entry: Entry{k.alias, KeyEntry, k.chain, entry.CreationTime}, rawAlias: encodeJavaUTF8(k.alias)}
	at := slices.IndexFunc(j.list, func(old jksEntry) bool { return sameAlias(old.Alias, k.alias) })
	if at < 0 {
		at = len(j.list)
	} else {
		e.Alias, e.rawAlias = j.list[at].Alias, j.list[at].rawAlias
	}
	if err := j.file.SetPrivateKeyEntry(e.rawAlias, entry, password); err != nil {
		return err
	}
	j.list = slices.Replace(j.list, at, min(at+1, len(j.list)), e)
	j.sort()
	return nil
}

// encodedSize is what the entry takes in the file, or a little more than that.
func (e jksEntry) encodedSize() int {
	if e.size > 0 {
		return e.size + 2 + len("X509") // version 1 has no certificate types
	}
	size := jksEntrySize + 16 + len(e.rawAlias)
	if e.Kind == KeyEntry {
		size += maxKeyBytes
	}
	for _, c := range e.Chain {
		size += len(c.DER) + 16
	}
	return size
}

func (j *jks) encode() ([]byte, error) {
	left := newBudget()
	size := jksHeaderSize + sha1.Size + len(j.trailing)
	for _, e := range j.list {
		size += e.encodedSize()
		if err := left.name(len(e.rawAlias)); err != nil {
			return nil, err
		}
		n := 1
		if e.Kind == KeyEntry {
			n += len(e.Chain)
		}
		for range n {
			if err := left.count(); err != nil {
				return nil, err
			}
		}
	}
	var out bytes.Buffer
	out.Grow(size) // or it would grow by doubling
	if err := j.file.Store(&out, j.password); err != nil {
		return nil, err
	}
	out.Write(j.trailing)
	return out.Bytes(), nil
}
