package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/javacert"
)

// reserved are aliases that the products' own truststores use: a peer of that name would take the place of a
// product's entry.
var reserved = map[string]bool{"wso2carbon": true, "gateway_certificate_alias": true}

// nameForm is what SERVER_NAME and PEERS may hold: a host name's characters, since the name is a host name, a folder
// and an alias at once. A name can therefore lead out of the exchange folder in no way.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// checkRule returns what is wrong with value, worded to follow the variable's name.
func checkRule(name string, kind reflect.Type, rule, value string) error {
	if strings.Contains(value, "://") && strings.HasPrefix(value, "tcp") {
		return fmt.Errorf("is %q: Kubernetes sets that for a Service called %q; set enableServiceLinks: false in the pod, or %s yourself",
			value, strings.ToLower(strings.SplitN(name, "_", 2)[0]), name)
	}
	word, rest, _ := strings.Cut(rule, " ")
	if word == "interval" && value == "0" {
		return nil
	}
	if err := checkType(kind, value); err != nil {
		return err
	}
	switch word {
	case "oneof":
		return checkOneOf(value, strings.Fields(rest))
	case "name":
		return checkName(value)
	case "names":
		for _, one := range strings.Split(value, ",") {
			if err := checkName(one); err != nil {
				return err
			}
		}
	case "host":
		return checkHost(value)
	case "sans":
		for _, one := range strings.Split(value, ",") {
			if err := checkSAN(one); err != nil {
				return err
			}
		}
	case "clients":
		for _, one := range strings.Split(value, ",") {
			if !clientForm.MatchString(one) {
				return fmt.Errorf("has %q: a client id is up to 255 letters, digits, dots, underscores and hyphens", one)
			}
		}
	case "interval":
		if d, _ := time.ParseDuration(value); d < minInterval {
			return fmt.Errorf("is %q: it must be 0 or at least %s", value, minInterval)
		}
	case "event-wait":
		if d, err := time.ParseDuration(value); value != "product" && (err != nil || d < time.Millisecond || d > time.Minute || d%time.Millisecond != 0) {
			return fmt.Errorf("is %q: it must be product, or whole milliseconds from 1ms to 1m", value)
		}
	case "pins":
		return new(Pins).Decode(value)
	case "port":
		// No sign and no zero in front: envconfig would take such a number for an octal one.
		if n, err := strconv.Atoi(value); err != nil || n > 65535 || value[0] < '1' || value[0] > '9' {
			return fmt.Errorf("is %q: it must be a port, 1 to 65535", value)
		}
	case "count":
		if n, err := strconv.Atoi(value); err != nil || n > 1000000 || value[0] < '1' || value[0] > '9' {
			return fmt.Errorf("is %q: it must be a number from 1 on", value)
		}
	case "https":
		if u, err := url.Parse(value); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			return errors.New("must be an address that begins with https://, without a user or a fragment")
		}
	case "address":
		if _, _, err := net.SplitHostPort(value); err != nil {
			return fmt.Errorf("is %q: it must be host:port, such as 127.0.0.1:9990", value)
		}
	case "path":
		if strings.ContainsRune(value, 0) {
			return errors.New("is no path: it holds a NUL byte")
		}
	}
	return nil
}

// checkType makes sure that envconfig can turn value into the field's type.
func checkType(kind reflect.Type, value string) error {
	switch kind {
	case reflect.TypeFor[bool]():
		if _, err := strconv.ParseBool(value); err != nil {
			return fmt.Errorf("is %q: it must be true or false", value)
		}
	case reflect.TypeFor[time.Duration]():
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return fmt.Errorf("is %q: it must be a time above zero with its unit, such as 500ms, 30s or 15m", value)
		}
	}
	return nil
}

// minInterval is the shortest SCOPES_INTERVAL: a poll takes some 40 ms of IS.
const minInterval = 100 * time.Millisecond

// clientForm keeps a filter of IS's REST API to one client: no space, no quote.
var clientForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,255}$`)

func checkOneOf(value string, allowed []string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("is %q: it must be %s", value, strings.Join(allowed, " or "))
}

func checkName(value string) error {
	if !nameForm.MatchString(value) {
		return fmt.Errorf("has %q: a name is a host name of small letters, digits, dots and hyphens, 63 characters at most", value)
	}
	if reserved[value] {
		return fmt.Errorf("has %q: that is an alias of the products' own; give the server another name", value)
	}
	return nil
}

func checkHost(value string) error {
	if net.ParseIP(value) != nil {
		return nil
	}
	if value == "" || len(value) > 253 || strings.ContainsAny(value, "/:@?#[] \t\r\n") {
		return fmt.Errorf("is %q: it must be a host name or an IP address alone, without scheme, port or path", value)
	}
	return nil
}

func checkSAN(value string) error {
	if _, ok := javacert.ServerName(value); !ok {
		return fmt.Errorf("has %q: a name in a certificate is a host name of letters, digits, hyphens and dots, or an IP address, alone", value)
	}
	return nil
}
