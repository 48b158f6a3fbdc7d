package keystore

// Trusted returns the fingerprints of the trusted certificates by alias, as Java sees them: aliases in lower case, and the
// last one where several entries have the same alias.
func (s *Store) Trusted() map[string]Fingerprint {
	out := map[string]Fingerprint{}
	for _, e := range s.codec.entries() {
		if e.Kind == TrustedCertificate {
			out[javaLower(e.Alias)] = e.Chain[0].Fingerprint()
		}
	}
	return out
}

// CopyTrusted makes the trusted certificate under alias the one that another store has under it, with its date. Errors are
// those of Entry and SetTrusted.
func (s *Store) CopyTrusted(alias string, from *Store) error {
	e, err := from.Entry(alias)
	if err != nil {
		return err
	}
	return s.SetTrusted(alias, e.Chain[0], e.Created)
}

// Leaves returns the fingerprints of the certificates of all private keys. A key without a certificate has none.
func (s *Store) Leaves() []Fingerprint {
	var out []Fingerprint
	for _, e := range s.codec.entries() {
		if e.Kind == KeyEntry && len(e.Chain) > 0 {
			out = append(out, e.Chain[0].Fingerprint())
		}
	}
	return out
}

// HoldsKeys reports whether the store has private or secret keys, and not only trusted certificates.
func (s *Store) HoldsKeys() bool {
	for _, e := range s.codec.entries() {
		if e.Kind == KeyEntry || e.Kind == SecretKey {
			return true
		}
	}
	return false
}
