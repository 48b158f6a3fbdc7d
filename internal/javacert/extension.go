package javacert

import (
	"crypto/x509"
	"fmt"
)

// Extensions of certificates (RFC 5280, section 4.2), as the bytes of their identifiers behind 2.5.29.
const (
	oidExtension           = "\x55\x1d"
	oidKeyUsage            = oidExtension + "\x0f"
	oidSubjectAltName      = oidExtension + "\x11"
	oidBasicConstraints    = oidExtension + "\x13"
	oidNameConstraints     = oidExtension + "\x1e"
	oidCertificatePolicies = oidExtension + "\x20"
	oidPolicyMappings      = oidExtension + "\x21"
	oidPolicyConstraints   = oidExtension + "\x24"
	oidExtendedKeyUsage    = oidExtension + "\x25"
	oidInhibitAnyPolicy    = oidExtension + "\x36"
)

// kind is what the list says of the values of one extension.
type kind struct {
	tag        byte // that the value has
	wellFormed func(body []byte) bool
	always     bool // well-formed where it is not critical, too
}

// known returns the kind of an extension that may be critical.
//
// Java knows more of them (OIDMap), and refuses a critical one that it cannot read; RFC 5280 wants all those others to be
// non-critical. One that is not critical and cannot be read is ignored by Java (CertificateExtensions.parseExtension), and is
// not looked at here, with exceptions: ignored, these would allow more than the issuer has written.
func known(oid string) (k kind, ok bool) {
	switch oid {
	case oidBasicConstraints:
		return kind{tagSequence, isBasicConstraints, true}, true
	case oidKeyUsage:
		return kind{tagBitString, isKeyUsage, true}, true
	case oidExtendedKeyUsage:
		return kind{tagSequence, isExtendedKeyUsage, true}, true
	case oidNameConstraints:
		return kind{tagSequence, isNameConstraints, true}, true
	case oidSubjectAltName:
		return kind{tagSequence, isSubjectAltName, false}, true
	case oidCertificatePolicies:
		return kind{tagSequence, isPolicies, false}, true
	case oidPolicyMappings:
		return kind{tagSequence, isPolicyMappings, false}, true
	case oidPolicyConstraints:
		return kind{tagSequence, isPolicyConstraints, false}, true
	case oidInhibitAnyPolicy:
		return kind{tagInteger, isSmall, false}, true
	}
	return kind{}, false
}

// list has the identifiers of a certificate's extensions, and whether each is critical.
type list map[string]bool

func (l list) critical(oid string) bool { return l[oid] }

// checkExtensions looks at the content of [3].
func checkExtensions(body []byte) (list, error) {
	outer := reader{rest: body}
	all := outer.into(tagSequence)
	if outer.end() != nil || !all.more() {
		return nil, unlisted("its extensions are not a sequence in DER, or there are none in it")
	}
	seen := list{}
	for all.more() {
		r := all.into(tagSequence)
		oid := r.take(tagOID).body
		critical := false
		if r.peek() == tagBoolean {
			flag := r.any().body
			if len(flag) != 1 || flag[0] != 0 && flag[0] != 0xff {
				return nil, unlisted("an extension says in a wrong form whether it is critical")
			}
			critical = flag[0] != 0
		}
		value := r.take(tagOctets).body
		if err := firstError("an extension", all.err, r.end()); err != nil {
			return nil, err
		}
		if !isOID(oid) {
			return nil, unlisted("an extension has no identifier in DER")
		}
		if _, ok := seen[string(oid)]; ok {
			return nil, unlisted("it has the extension %s twice", dotted(oid))
		}
		seen[string(oid)] = critical
		if err := checkExtension(oid, critical, value); err != nil {
			return nil, err
		}
	}
	return seen, firstError("its extensions", all.end())
}

func checkExtension(oid []byte, critical bool, value []byte) error {
	k, ok := known(string(oid))
	switch {
	case !ok && critical:
		return unlisted("it has the critical extension %s, which not every Java knows, or which has to be non-critical (RFC 5280)", dotted(oid))
	case !ok || !critical && !k.always:
		return nil
	case critical && (len(value) < 2 || value[0] != k.tag && value[0] != tagOctets): // Java looks into some that are wrapped twice
		return refused("the value of its critical extension %s is empty, or of another type", dotted(oid))
	}
	r := reader{rest: value}
	if body := r.take(k.tag).body; r.end() != nil || !k.wellFormed(body) {
		return unlisted("the value of its extension %s has a form that not every Java reads", dotted(oid))
	}
	return nil
}

func isBasicConstraints(body []byte) bool {
	r := reader{rest: body}
	if !r.more() {
		return true
	}
	ca := r.take(tagBoolean).body
	if len(ca) != 1 || ca[0] != 0 && ca[0] != 0xff {
		return false
	}
	return !r.more() || isSmall(r.take(tagInteger).body) && r.end() == nil
}

func isKeyUsage(body []byte) bool { return len(body) <= 3 && isBitString(body) }

func isExtendedKeyUsage(body []byte) bool {
	return each(body, func(e element) bool { return e.tag == tagOID && isOID(e.body) })
}

func isSubjectAltName(body []byte) bool {
	return each(body, func(e element) bool { return isGeneralName(e, false) })
}

// isNameConstraints has subtrees that are permitted in [0] and excluded in [1], without the bounds that RFC 5280 forbids.
func isNameConstraints(body []byte) bool {
	next := byte(tagContext0)
	return each(body, func(trees element) bool {
		inOrder := trees.tag >= next && trees.tag <= tagContext0+1
		next = trees.tag + 1
		return inOrder && each(trees.body, func(tree element) bool {
			r := reader{rest: tree.body}
			base := r.any()
			return tree.tag == tagSequence && r.end() == nil && isGeneralName(base, true)
		})
	})
}

func isPolicies(body []byte) bool {
	return each(body, func(policy element) bool {
		r := reader{rest: policy.body}
		oid := r.take(tagOID).body
		return policy.tag == tagSequence && isOID(oid) && (!r.more() || isQualifiers(r.take(tagSequence).body) && r.end() == nil)
	})
}

func isQualifiers(body []byte) bool {
	return each(body, func(qualifier element) bool {
		r := reader{rest: qualifier.body}
		oid := r.take(tagOID).body
		r.any()
		return qualifier.tag == tagSequence && isOID(oid) && r.end() == nil
	})
}

func isPolicyMappings(body []byte) bool {
	return each(body, func(pair element) bool {
		r := reader{rest: pair.body}
		from, to := r.take(tagOID).body, r.take(tagOID).body
		return pair.tag == tagSequence && r.end() == nil && isOID(from) && isOID(to)
	})
}

func isPolicyConstraints(body []byte) bool {
	next := byte(0x80)
	return each(body, func(e element) bool {
		inOrder := e.tag >= next && e.tag <= 0x81
		next = e.tag + 1
		return inOrder && isSmall(e.body)
	})
}

// each reports whether body is one or more elements in DER, all of which are as they should be.
func each(body []byte, good func(element) bool) bool {
	r := reader{rest: body}
	for r.more() {
		if e := r.any(); r.err != nil || !good(e) {
			return false
		}
	}
	return len(body) > 0 && r.err == nil
}

// dotted writes an object identifier for an error message.
func dotted(oid []byte) string {
	var id x509.OID
	if err := id.UnmarshalBinary(oid); err != nil {
		return fmt.Sprintf("%x", oid)
	}
	return id.String()
}
