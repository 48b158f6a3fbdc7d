package javacert

import (
	"regexp"
	"unicode/utf8"
)

// checkName looks at a distinguished name: a sequence of sets of pairs. Java reads values of any type, but has to turn them
// into text when it compares names, as it does while it loads a keystore.
func checkName(whose string, body []byte) error {
	if !isName(body) {
		return unlisted("the name of its %s is not a distinguished name of texts in DER", whose)
	}
	return nil
}

func isName(body []byte) bool {
	for names := (&reader{rest: body}); len(names.rest) > 0; {
		pairs := names.into(tagSet)
		if !pairs.more() {
			return false
		}
		for pairs.more() {
			pair := pairs.into(tagSequence)
			oid, value := pair.take(tagOID), pair.any()
			if pair.end() != nil || !isOID(oid.body) || !isText(value) {
				return false
			}
		}
		if names.err != nil || pairs.err != nil {
			return false
		}
	}
	return true
}

// isText reports whether e is a string that its bytes fit.
func isText(e element) bool {
	switch e.tag {
	case tagPrintable, tagIA5, tagNumeric:
		return isASCII(e.body)
	case tagUTF8:
		return utf8.Valid(e.body)
	case tagT61:
		return true
	case tagBMP:
		return len(e.body)%2 == 0
	}
	return false
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// The kinds of a GeneralName (RFC 5280, section 4.2.1.6). The others are not on the list.
const (
	nameEmail     = 0x81
	nameDNS       = 0x82
	nameDirectory = 0xa4
	nameURI       = 0x86
	nameIP        = 0x87
)

// uriForm is what java.net.URI and sun.security.x509.URIName take with certainty: a host name and a plain path.
var uriForm = regexp.MustCompile(`^[a-z][a-z0-9+-]{0,30}://[a-z]([a-z0-9-]*[a-z0-9])?(\.[a-z]([a-z0-9-]*[a-z0-9])?)*(/[A-Za-z0-9._~-]*)*$`)

// emailForm is what sun.security.x509.RFC822Name takes with certainty; a constraint has a domain alone, or a dot in front of it.
var emailForm = regexp.MustCompile(`^([A-Za-z0-9._%+-]+@)?\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)

// isGeneralName reports whether Java reads e in a subject alternative name, or as a constraint on names.
func isGeneralName(e element, constraint bool) bool {
	switch e.tag {
	case nameDNS:
		return len(e.body) > 0 && isASCII(e.body)
	case nameEmail:
		return emailForm.Match(e.body)
	case nameURI:
		return !constraint && uriForm.Match(e.body)
	case nameIP:
		if constraint {
			return len(e.body) == 8 || len(e.body) == 32
		}
		return len(e.body) == 4 || len(e.body) == 16
	case nameDirectory:
		r := reader{rest: e.body}
		name := r.take(tagSequence)
		return r.end() == nil && len(name.body) > 0 && isName(name.body)
	}
	return false
}
