package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/window"
)

// rule is what a value must be.
type rule struct {
	allowed string                   // in words that follow "it must be"; empty if every value is allowed
	check   func(value string) error // the words of an error follow the name of the variable
}

// errBug is wrapped by errors that a test of the tags prevents.
var errBug = errors.New("this is a bug of the agent; report it")

// ruleOf returns the rule that a rule tag names.
func ruleOf(tag string) rule {
	word, rest, more := strings.Cut(tag, " ")
	if word == "oneof" && rest != "" {
		return oneOf(strings.Fields(rest))
	}
	if r, known := rules()[word]; known && !more {
		return r
	}
	return rule{check: func(string) error {
		return fmt.Errorf("cannot be checked: the agent has no rule %q: %w", tag, errBug)
	}}
}

// minInterval is the shortest SCOPES_INTERVAL: one poll takes about 40 ms of IS.
const minInterval = 100 * time.Millisecond

// rules returns the rules by the word in the tag. oneof, which has operands, is not among them.
func rules() map[string]rule {
	name := rule{"a host name of lower-case letters, digits, dots and hyphens, with at most 63 characters", checkName}
	return map[string]rule{
		"":         {"", func(string) error { return nil }},
		"bool":     must("true or false", func(v string) bool { _, err := strconv.ParseBool(v); return err == nil }),
		"name":     name,
		"names":    {"none, or host names, separated by commas", each(name.check)},
		"host":     must("a host name or an IP address, without scheme, port or path", isHost),
		"sans":     {"host names and IP addresses, separated by commas; the first label of a name may be *", each(checkSAN)},
		"clients":  {"client ids, separated by commas", each(checkClient)},
		"positive": must("a time above zero with its unit, such as 500ms, 30s or 15m", isPositive),
		"interval": must("0 or at least "+minInterval.String(), isInterval),
		"wait":     must("product, or whole milliseconds from 1ms to 1m", isWait),
		"pins":     {"name=SHA-256, separated by commas; a name may appear several times", func(v string) error { _, err := parsePins(v); return err }},
		"routes":   {"host:port=host:port, separated by commas", func(v string) error { _, err := parseRoutes(v); return err }},
		"port":     must("a port, 1 to 65535", func(v string) bool { return isNumber(v, 65535) }),
		"count":    must("a whole number from 1 to 1000000", func(v string) bool { return isNumber(v, 1000000) }),
		"spares":   must("a whole number from 0 to 12", func(v string) bool { return v == "0" || isNumber(v, 12) }),
		"https":    {"an address that begins with https://, without a user or a fragment", checkHTTPS},
		"hook":     {"a program with its arguments, or an address that begins with https://, without a user or a fragment", checkHook},
		"address":  must("host:port, such as 127.0.0.1:9990", func(v string) bool { _, _, err := net.SplitHostPort(v); return err == nil }),
		"label":    must("a name for Kubernetes: lower-case letters, digits and hyphens, with at most 63 characters", labelForm.MatchString),
		"windows":  {"times of a week, separated by semicolons, such as Sat 22:00-02:00 Europe/Berlin", checkWindows},
		"path":     must("a path", func(v string) bool { return !strings.ContainsRune(v, 0) }),
	}
}

// must returns the rule that ok holds for the whole value.
func must(allowed string, ok func(value string) bool) rule {
	return rule{allowed, func(value string) error {
		if !ok(value) {
			return fmt.Errorf("is %q: it must be %s", value, allowed)
		}
		return nil
	}}
}

func oneOf(words []string) rule {
	allowed := words[len(words)-1]
	if first := words[:len(words)-1]; len(first) > 0 {
		allowed = strings.Join(first, ", ") + " or " + allowed
	}
	return must(allowed, func(value string) bool {
		for _, word := range words {
			if value == word {
				return true
			}
		}
		return false
	})
}

// each returns the check for a list that is separated by commas.
func each(check func(string) error) func(string) error {
	return func(list string) error {
		for _, one := range strings.Split(list, ",") {
			if err := check(one); err != nil {
				return err
			}
		}
		return nil
	}
}

// reserved reports whether the truststores of the products use name as an alias. A peer of that name would replace an entry
// of the product.
func reserved(name string) bool { return name == "wso2carbon" || name == "gateway_certificate_alias" }

// nameForm is the form of SERVER_NAME and PEERS. A name is a host name, a folder and an alias at once, so no name leads out
// of the exchange folder.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

func checkName(value string) error {
	if reserved(value) {
		return fmt.Errorf("has %q, which is an alias in the truststores of the products: give the server another name", value)
	}
	if !nameForm.MatchString(value) {
		return fmt.Errorf("has %q: a name is a host name of lower-case letters, digits, dots and hyphens, with at most 63 characters", value)
	}
	return nil
}

func checkWindows(value string) error {
	if _, err := window.Parse(value); err != nil {
		return fmt.Errorf("is not valid: %w", err)
	}
	return nil
}

func isHost(value string) bool {
	return net.ParseIP(value) != nil || value != "" && len(value) <= 253 && !strings.ContainsAny(value, "/:@?#[] \t\r\n")
}

func checkSAN(value string) error {
	if _, ok := javacert.ServerName(value); !ok {
		return fmt.Errorf("has %q: a name in a certificate is a host name of letters, digits, hyphens and dots, or an IP address, and nothing else", value)
	}
	return nil
}

// keyForm is the form of an encryption key of both products.
var keyForm = regexp.MustCompile(`^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{48}|[0-9a-fA-F]{64})$`)

// IsKey reports whether value has the form of an encryption key of the products: 16, 24 or 32 bytes in hexadecimal digits.
func IsKey(value string) bool { return keyForm.MatchString(value) }

// clientForm has no space and no quote, so that a filter of IS's REST API matches one client only.
var clientForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,255}$`)

func checkClient(value string) error {
	if !clientForm.MatchString(value) {
		return fmt.Errorf("has %q: a client id has 1 to 255 letters, digits, dots, underscores and hyphens", value)
	}
	return nil
}

// labelForm is a DNS label (RFC 1123), the form of a namespace in Kubernetes. The name of a Secret may have dots in addition.
var labelForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func isPositive(value string) bool {
	d, err := time.ParseDuration(value)
	return err == nil && d > 0
}

func isInterval(value string) bool {
	d, err := time.ParseDuration(value)
	return value == "0" || err == nil && d >= minInterval
}

func isWait(value string) bool {
	d, err := time.ParseDuration(value)
	return value == "product" || err == nil && d >= time.Millisecond && d <= time.Minute && d%time.Millisecond == 0
}

// isNumber reports whether value is a decimal number from 1 to most, without a sign or a leading zero.
func isNumber(value string, most int) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n <= most && value[0] >= '1' && value[0] <= '9'
}

// checkHook does not repeat the value either.
func checkHook(value string) error {
	if program, _, _ := strings.Cut(value, " "); strings.Contains(program, "://") {
		return checkHTTPS(value)
	}
	return nil
}

// checkHTTPS does not repeat the value: it may contain a password.
func checkHTTPS(value string) error {
	if u, err := url.Parse(value); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be an address that begins with https://, without a user or a fragment")
	}
	return nil
}
