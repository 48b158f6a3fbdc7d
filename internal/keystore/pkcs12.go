package keystore

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"wso2agent/internal/remedy"
)

// pkcs12 is a PKCS#12 file (RFC 7292) taken apart no further than an edit needs: what is not concerned is written from
// the bytes that were read.
type pkcs12 struct {
	password password
	mac      *macData // nil: the file has none, and gets none
	macRaw   []byte   // as encode wrote it last; nil before that
	safes    []*safe
	trailing []byte // bytes behind the structure, which Java ignores
	// How to encrypt what has no place yet; certificates in the clear if nil.
	certScheme, keyScheme *scheme

	// Java's view of the bags, made anew by list after every edit.
	listing []Entry
	places  []place // where each entry of listing stands
	links   int     // certificates in the chains of all keys, those that several share counted several times
}

// safe is one of the parts of a file that are encrypted, or not, as a whole: a ContentInfo with SafeContents in it.
type safe struct {
	raw    []byte // as it stands in the file; nil once it was changed
	scheme *scheme
	prefix []byte // EncryptedData's version, as it stands in the file
	suffix []byte // EncryptedData's attributes
	data   []byte // what is encrypted
	bags   []bag
}

// place is where a bag stands.
type place struct{ safe, bag int32 }

// bag is one SafeBag.
type bag struct {
	raw         []byte
	kind        byte // bagKey, …; 0 for all that this package leaves alone
	value       []byte
	attributes  []byte // the SET as it stands; nil if there is none
	name        string // friendlyName
	keyID       []byte // localKeyID
	trusted     bool   // bears Java's trusted key usage
	certificate []byte
	cost        int // rounds to decrypt it
}

// budget is what may still be spent on a file.
type budget struct{ rounds, entries, names, ber int }

func newBudget() *budget {
	return &budget{rounds: maxRounds, entries: maxEntries, names: maxNames, ber: maxBER}
}

func (b *budget) spend(rounds int) error {
	if b.rounds -= rounds; b.rounds < 0 {
		return fmt.Errorf("more than %d rounds of key derivation in all: %w", maxRounds, ErrTooLarge)
	}
	return nil
}

func (b *budget) count() error {
	if b.entries--; b.entries < 0 {
		return fmt.Errorf("more than %d entries: %w", maxEntries, ErrTooLarge)
	}
	return nil
}

func (b *budget) name(size int) error {
	if b.names -= size; b.names < 0 {
		return fmt.Errorf("aliases of more than %d bytes in all: %w", maxNames, ErrTooLarge)
	}
	return nil
}

func (b *budget) rewrite(size int) error {
	if b.ber -= size; b.ber < 0 {
		return remedy.Add(fmt.Errorf("more than %d bytes in BER: %w", maxBER, ErrTooLarge), "rewrite it in DER, with keytool -importkeystore or openssl pkcs12")
	}
	return nil
}

func newPKCS12(o Options) (codec, error) {
	p := &pkcs12{password: passwords(o.Password)[0]}
	for _, rounds := range []*int{&o.MACRounds, &o.CertificateRounds, &o.KeyRounds} {
		if *rounds == 0 {
			*rounds = defaultRounds
		}
		if *rounds < 0 || *rounds > maxRounds {
			return nil, fmt.Errorf("%d rounds, want 1 to %d: %w", *rounds, maxRounds, ErrTooLarge)
		}
	}
	p.keyScheme = newScheme(oidAES+"\x2a", false, o.KeyRounds)
	switch o.Certificates {
	case Clear:
	case AES256:
		p.certScheme = newScheme(oidAES+"\x2a", false, o.CertificateRounds)
	case RC2With40:
		p.certScheme = newScheme(oidPBE+"\x06", true, o.CertificateRounds)
	case TripleDES:
		p.certScheme = newScheme(oidPBE+"\x03", true, o.CertificateRounds)
	default:
		return nil, fmt.Errorf("unknown encryption %q: %w", o.Certificates, ErrFormat)
	}
	if o.MAC != NoMAC {
		var err error
		if p.mac, err = newMAC(o.MAC, o.MACRounds); err != nil {
			return nil, err
		}
	}
	return p, p.checkCost()
}

// openPKCS12 checks the caps on the way, before it spends anything on a derivation or a list.
func openPKCS12(data []byte, text string) (codec, error) {
	left := newBudget()
	f, err := parsePFX(data, left)
	if err != nil {
		return nil, err
	}
	readings := passwords(text)
	p := &pkcs12{mac: f.mac, trailing: f.trailing}
	if p.mac != nil {
		if err := left.spend(len(readings) * p.mac.cost()); err != nil {
			return nil, err
		}
	}
	attempts := len(readings)
	if attempts > 1 {
		attempts++ // what is tried on a safe is done once more to open it
	}
	if p.safes, err = parseAuthenticatedSafe(f.content, left, attempts); err != nil {
		return nil, err
	}
	plains, err := p.unlock(readings, f.content)
	if err != nil {
		return nil, err
	}
	for i, s := range p.safes {
		if s.scheme == nil {
			continue
		}
		err := plains[i].err
		if err == nil {
			s.bags, err = parseBags(plains[i].data, left)
		}
		if err != nil {
			return nil, p.explain(i, err)
		}
	}
	p.learnSchemes()
	p.list()
	return p, p.checkLinks()
}

// plain is what a safe decrypts to.
type plain struct {
	data []byte
	err  error
}

// decryptSafes decrypts what is encrypted; its result has a place for every safe.
func (p *pkcs12) decryptSafes(reading password) []plain {
	plains := make([]plain, len(p.safes))
	for i, s := range p.safes {
		if s.scheme != nil {
			plains[i].data, plains[i].err = s.decrypt(reading)
		}
	}
	return plains
}

// unlock finds the reading of the password that fits, by the MAC or, without one, by the first encrypted safe, and
// decrypts with it. Where there is but one reading the safes are decrypted while the MAC is checked, for each takes as
// long as the other.
func (p *pkcs12) unlock(readings []password, content []byte) ([]plain, error) {
	p.password = readings[0]
	if len(readings) == 1 {
		var plains []plain
		var decrypting sync.WaitGroup
		decrypting.Go(func() { plains = p.decryptSafes(p.password) })
		fits, err := p.mac == nil, error(nil)
		if p.mac != nil {
			fits, err = p.mac.matches(p.password, content)
		}
		decrypting.Wait()
		if err == nil && !fits {
			err = p.mismatch(p.opensWith(p.password, plains))
		}
		return plains, err
	}
	for _, reading := range readings {
		fits, err := false, error(nil)
		if p.mac != nil {
			fits, err = p.mac.matches(reading, content)
		} else {
			fits = p.opensWith(reading, nil)
		}
		if err != nil {
			return nil, err
		}
		if fits {
			p.password = reading
			return p.decryptSafes(reading), nil
		}
	}
	if p.mac == nil {
		return p.decryptSafes(p.password), nil // what is wrong its error says
	}
	return nil, p.mismatch(slices.ContainsFunc(readings, func(reading password) bool { return p.opensWith(reading, nil) }))
}

// mismatch tells why the MAC is not that of the content.
func (p *pkcs12) mismatch(opens bool) error {
	if opens {
		return fmt.Errorf("the password decrypts it, but its MAC does not match: %w", ErrDamaged)
	}
	return fmt.Errorf("its MAC does not match, so the password is wrong or the file was changed: %w", ErrPassword)
}

// opensWith tries a password on the first thing that is encrypted; plains are what the safes decrypt to with it, if
// that is known.
func (p *pkcs12) opensWith(reading password, plains []plain) bool {
	for i, s := range p.safes {
		if s.scheme != nil && plains != nil {
			return plains[i].err == nil
		}
		if s.scheme != nil {
			_, err := s.decrypt(reading)
			return err == nil
		}
		for _, b := range s.bags {
			if b.kind == bagShroudedKey && b.cost > 0 {
				_, err := b.privateKeyInfo(reading)
				return err == nil
			}
		}
	}
	return false
}

// explain tells a wrong password from damage: if the MAC has accepted the password, that is not what is wrong.
func (p *pkcs12) explain(i int, err error) error {
	if errors.Is(err, ErrPassword) && p.mac != nil {
		return fmt.Errorf("safe %d: the MAC accepts the password, but the safe does not open with it: %w", i+1, ErrDamaged)
	}
	return fmt.Errorf("safe %d: %w", i+1, err)
}

// learnSchemes remembers how the file encrypts, for what may be added: as what is there already, else as Java 17.
func (p *pkcs12) learnSchemes() {
	p.keyScheme = newScheme(oidAES+"\x2a", false, defaultRounds)
	if p.mac != nil {
		p.certScheme = p.keyScheme
	}
	for _, s := range p.safes {
		if s.scheme != nil {
			p.certScheme = s.scheme
		}
		for _, b := range s.bags {
			if known, err := b.scheme(); err == nil && b.kind == bagShroudedKey {
				p.keyScheme = known
			}
		}
	}
}

// checkLinks refuses keys that share long chains, which take no room in the file but do in a list.
func (p *pkcs12) checkLinks() error {
	if p.links > maxEntries {
		return fmt.Errorf("more than %d certificates in the chains of all keys: %w", maxEntries, ErrTooLarge)
	}
	return nil
}

// checkCost makes sure that what is written can be opened again.
func (p *pkcs12) checkCost() error {
	left := newBudget()
	err := p.checkLinks()
	if p.mac != nil && err == nil {
		err = left.spend(p.mac.cost())
	}
	for _, s := range p.safes {
		if s.scheme != nil && err == nil {
			err = left.spend(s.scheme.cost())
		}
		for i := 0; i < len(s.bags) && err == nil; i++ {
			if err = left.count(); err == nil {
				err = left.spend(s.bags[i].cost)
			}
		}
	}
	return err
}
