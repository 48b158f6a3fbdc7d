package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/wso2"
)

// Made is what an earlier run has made, as far as a look asks for it. The zero value is nothing.
type Made struct {
	Application, ApplicationID string
	ConsumerKey, KeyManager    string
}

// MadeBefore reads what an earlier run has made from the content of its application-keys.json; nothing where that is not
// readable.
func MadeBefore(keys []byte) Made {
	var f keysFile
	if json.Unmarshal(keys, &f) != nil {
		return Made{}
	}
	return Made{f.Application, f.ApplicationID, f.Production.ConsumerKey, f.Production.KeyManager}
}

// Sight is what a look at both servers has shown.
type Sight struct {
	AM, IS error    // why it cannot be worked with; nil where it can, and for an IS that nobody looks at
	Lost   []string // what was made before and is gone, each a sentence with its cause
}

// Look asks both servers, by two requests each, whether they serve and still have what was made. It sends GET only and
// requests no token, since a new one would end another's. Without anything made it sends no password either.
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

// Trouble is nil if both servers can be worked with and nothing is lost.
func (s Sight) Trouble() error {
	var errs []error
	for _, server := range []struct {
		name string
		err  error
	}{{"API-M", s.AM}, {"IS", s.IS}} {
		if server.err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be worked with: %w", server.name, server.err))
		}
	}
	for _, lost := range s.Lost {
		errs = append(errs, errors.New(lost))
	}
	return errors.Join(errs...)
}

// Event is one thing that is otherwise than at the look before.
type Event struct {
	Text string
	Err  error // of a server that cannot be worked with any more
	Good bool
}

// Since compares a look with the one before. again says that the desired state must be reached anew: a server that came
// back may have lost something, or have other settings.
func (s Sight) Since(before Sight) (events []Event, again bool) {
	for _, server := range []struct {
		name        string
		before, now error
	}{{"API-M", before.AM, s.AM}, {"IS", before.IS, s.IS}} {
		switch {
		case server.before == nil && server.now != nil:
			events = append(events, Event{Text: server.name + " cannot be worked with", Err: server.now})
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
