package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/wso2"
)

// Made is what an earlier run has made, as far as a look checks it. The zero value stands for nothing.
type Made struct {
	Application, ApplicationID string
	ConsumerKey, KeyManager    string
}

// MadeBefore reads from the content of an application-keys.json what an earlier run has made. It returns the zero value if the
// content is not readable.
func MadeBefore(keys []byte) Made {
	k := firstKey(keys)
	return Made{k.Application, k.ApplicationID, k.ConsumerKey, k.KeyManager}
}

// Sight is the result of a look at both servers.
type Sight struct {
	AM, IS error    // why the server is not usable; nil if it is, and for an IS that the look leaves out
	Lost   []string // what an earlier run made and the server no longer has, each a sentence with its cause
}

// Look asks each server with two requests whether it serves, and whether it still has what an earlier run made. It only sends GET,
// and requests no token, because a new token would revoke that of a client. If made is nothing, it sends no password either.
func Look(ctx context.Context, servers Servers, s Settings, made Made) (seen Sight) {
	if seen.AM = servers.Gateway.Healthy(ctx); seen.AM == nil && made.ApplicationID != "" {
		_, err := servers.DevPortal.Application(ctx, made.ApplicationID)
		if wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) {
			seen.Lost = append(seen.Lost, fmt.Sprintf("API-M no longer knows application %q: its database is new, or somebody has deleted the application", made.Application))
			err = nil
		}
		seen.AM = err
	}
	if s.SkipKeyManager {
		return seen
	}
	if _, seen.IS = servers.IS.Discovery(ctx); seen.IS == nil && made.ConsumerKey != "" && made.KeyManager == s.KMName {
		there, err := servers.IS.HasClient(ctx, made.ConsumerKey)
		if err == nil && !there {
			seen.Lost = append(seen.Lost, fmt.Sprintf("IS no longer knows the consumer key %s: its database is new, or somebody has deleted the client", made.ConsumerKey))
		}
		seen.IS = err
	}
	return seen
}

// Trouble returns nil if both servers are usable and nothing is lost.
func (s Sight) Trouble() error {
	var errs []error
	for _, server := range []struct {
		name string
		err  error
	}{{"API-M", s.AM}, {"IS", s.IS}} {
		if server.err != nil {
			errs = append(errs, fmt.Errorf("%s is not usable: %w", server.name, server.err))
		}
	}
	for _, lost := range s.Lost {
		errs = append(errs, errors.New(lost))
	}
	return errors.Join(errs...)
}

// Event is one difference between a look and the one before.
type Event struct {
	Text string
	Err  error // of a server that is no longer usable
	Good bool
}

// Since compares a look with the one before. again reports whether the desired state must be reached again, because a server that
// came back may have lost something, or have other settings.
func (s Sight) Since(before Sight) (events []Event, again bool) {
	for _, server := range []struct {
		name        string
		before, now error
	}{{"API-M", before.AM, s.AM}, {"IS", before.IS, s.IS}} {
		switch {
		case server.before == nil && server.now != nil:
			events = append(events, Event{Text: server.name + " is not usable", Err: server.now})
		case server.before != nil && server.now == nil:
			events = append(events, Event{Text: server.name + " came back", Good: true})
			again = true
		}
	}
	for _, lost := range s.Lost {
		if !slices.Contains(before.Lost, lost) {
			events = append(events, Event{Text: lost})
			again = true
		}
	}
	return events, again
}
