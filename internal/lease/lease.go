// Package lease lets one run at a time of the same API-M user change API-M, wherever the runs are. The lease is an application of that
// user: API-M makes only one application of a name for a user, so of several runs that create it one succeeds. Its description says who
// has it and until when.
//
// A holder renews its lease. A lease that is not renewed for its whole life has expired, and the next run takes it over: it deletes
// the application by its id and creates another one. Because the id is that of one lease, nobody deletes the lease of another run by
// mistake, and of two runs that both delete it only one creates the next.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	randv2 "math/rand/v2"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Application is the name of the application that is the lease.
const Application = "wso2agent-lease"

// ErrLost is the cause for which a lease ends while its holder still works.
var ErrLost = errors.New("the agent has lost its lease on API-M")

// Portal is what a lease needs of the Developer Portal.
type Portal interface {
	Applications(ctx context.Context, name string) ([]wso2.Application, error)
	CreateApplicationObject(ctx context.Context, fields map[string]any) (wso2.Object, error)
	UpdateApplicationObject(ctx context.Context, id string, fields map[string]any) (wso2.Object, error)
	DeleteApplication(ctx context.Context, id string) error
}

// times are the times of a lease. All runs on one API-M have the same.
type times struct {
	life time.Duration // how long a lease counts after its holder has sent it
	poll time.Duration // mean wait between two looks at another run's lease
	dead time.Duration // a lease that is past its end for that long has expired at first sight; clocks differ by less
	now  func() time.Time
}

func realTimes() times {
	return times{life: time.Minute, poll: 2 * time.Second, dead: 5 * time.Minute, now: time.Now}
}

// Acquire waits until this run has the lease, and returns a context that ends with ctx, or with the cause [ErrLost]. The holder stops
// its work then. holder is for people; its first 64 characters count. release ends the context and gives the lease up; it makes one
// request, also after ctx has ended, and takes at most 10 s. waited reports whether this run has seen the lease of another one: what this
// run has read before may be outdated.
//
// While another run has the lease, Acquire looks every 1 s to 3 s and logs once for whom it waits. A holder that was killed delays it
// by at most 60 s, as long as the clocks of both differ by less than five minutes. The error is the permanent one of a request, or that of
// an application of this name which is no lease, or that of ctx. Acquire repeats requests that fail in another way, at last every 16 s to
// 48 s.
func Acquire(ctx context.Context, portal Portal, holder string, log *slog.Logger) (held context.Context, release func(), waited bool, err error) {
	return acquire(ctx, portal, holder, log, realTimes())
}

func acquire(ctx context.Context, portal Portal, holder string, log *slog.Logger, t times) (held context.Context, release func(), waited bool, err error) {
	if runes := []rune(holder); len(runes) > 64 { // API-M refuses a description of more than 512 characters
		holder = string(runes[:64])
	}
	c := &claim{Portal: portal, times: t, holder: holder, log: log, sent: map[string]time.Time{}}
	own, err := c.acquire(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	held, release = c.keep(ctx, own)
	return held, release, c.others, nil
}

// record is the description of the application.
type record struct {
	Holder  string    `json:"holder"`
	Expires time.Time `json:"expires"` // by the holder's clock
	Run     string    `json:"run"`     // differs for each creation of a lease
}

// lease is a lease as API-M has it.
type lease struct {
	id string
	record
}

// grant is a lease that this run has.
type grant struct {
	id, run string
	until   time.Time // from when it no longer counts, by this run's clock
}

// claim is the wish of one run for the lease.
type claim struct {
	Portal
	times
	holder string
	log    *slog.Logger

	sent   map[string]time.Time // when this run has sent the creation of a lease, by record.Run
	seen   lease                // of another run
	since  time.Time            // when this run first saw it as it is
	named  string               // the holder that the log last named
	others bool                 // another run has had the lease since this one asked first
}

var errTaken = errors.New("another run has the lease")

// acquire tries until this run has the lease.
func (c *claim) acquire(ctx context.Context) (grant, error) {
	for wait := c.poll; ; {
		own, err := c.try(ctx)
		if err == nil {
			return own, nil
		}
		if ctx.Err() != nil {
			return grant{}, c.gaveUp(ctx)
		}
		switch {
		case errors.Is(err, errTaken):
			wait = c.poll
		case errors.Is(err, errForeign), wso2.IsPermanent(err):
			return grant{}, fmt.Errorf("acquire the lease on API-M, application %s: %w", Application, err)
		default:
			c.log.Warn("cannot acquire the lease on API-M, trying again", "error", err)
			wait = min(2*wait, 16*c.poll)
		}
		select {
		case <-ctx.Done():
			return grant{}, c.gaveUp(ctx)
		case <-time.After(max(wait/2+randv2.N(wait), wso2.RetryAfter(err))):
		}
	}
}

func (c *claim) gaveUp(ctx context.Context) error {
	if c.named != "" {
		return remedy.Add(fmt.Errorf("wait for the lease on API-M (application %s), which %q has: %w", Application, c.named, context.Cause(ctx)),
			"wait until that run has ended; the lease of a run that was killed expires after %s", c.life)
	}
	return fmt.Errorf("acquire the lease on API-M, application %s: %w", Application, context.Cause(ctx))
}

// try makes one attempt. The error is errTaken while another run has the lease.
func (c *claim) try(ctx context.Context) (grant, error) {
	asked := c.now()
	there, found, err := c.look(ctx)
	if err != nil {
		return grant{}, err
	}
	if !found {
		return c.create(ctx)
	}
	sent, mine := c.sent[there.Run] // the answer to its creation was lost
	c.others = c.others || !mine
	switch until := sent.Add(c.life); {
	case mine && c.now().Before(until):
		return grant{there.id, there.Run, until}, nil
	case !mine && !c.expired(there, asked):
		c.announce(there)
		return grant{}, errTaken
	}
	c.log.Info("taking over a lease on API-M that has expired", "holder", there.Holder, "expired", there.Expires)
	if err := gone(c.DeleteApplication(ctx, there.id)); err != nil {
		return grant{}, err
	}
	return c.create(ctx)
}

// look returns the lease that API-M has.
func (c *claim) look(ctx context.Context) (there lease, found bool, err error) {
	list, err := c.Applications(ctx, Application)
	if err != nil {
		return lease{}, false, err
	}
	for _, app := range list {
		if !strings.EqualFold(app.Name, Application) { // the search finds parts of names too
			continue
		}
		l := lease{id: app.ID}
		if json.Unmarshal([]byte(app.Description), &l.record) != nil || l.Run == "" {
			return lease{}, false, remedy.Add(fmt.Errorf("%w: application %q has another description than a lease", errForeign, app.Name),
				"rename or delete that application in API-M's Developer Portal, as the user of AM_ADMIN_USER")
		}
		return l, true, nil
	}
	return lease{}, false, nil
}

// errForeign: the agent does not delete what it has not made.
var errForeign = errors.New("the application that should be the lease is not the agent's")

// expired reports whether the lease, as a request that was sent at asked has found it, no longer counts for its holder. It had not
// changed for a whole life then, by this run's clock alone: its holder sent it before this run first saw it. Or its end is so long ago
// that no clock is that wrong.
func (c *claim) expired(there lease, asked time.Time) bool {
	if there != c.seen {
		c.seen, c.since = there, c.now()
	}
	return !asked.Before(c.since.Add(c.life)) || asked.Sub(there.Expires) > c.dead
}

// announce logs for whom this run waits, once for each holder.
func (c *claim) announce(there lease) {
	if c.named != there.Holder {
		c.named = there.Holder
		c.log.Info("waiting for another run that changes API-M", "holder", there.Holder, "lease until", there.Expires)
	}
}

// create creates the lease. The error is errTaken if another run was faster.
func (c *claim) create(ctx context.Context) (grant, error) {
	own := grant{run: rand.Text()}
	sent := c.now()
	c.sent[own.run], own.until = sent, sent.Add(c.life)
	ctx, cancel := context.WithTimeout(ctx, c.life)
	defer cancel()
	made, err := c.CreateApplicationObject(ctx, c.fields(own.run, own.until))
	switch {
	case wso2.HasStatus(err, http.StatusConflict):
		c.others = true
		c.log.Info("another run has created the lease on API-M first") // the next look finds whose it is
		return grant{}, errTaken
	case err != nil:
		return grant{}, err
	case !c.now().Before(own.until):
		return grant{}, errTaken // by now another run may have taken it over
	}
	own.id = made.ID
	return own, nil
}

func (c *claim) fields(run string, until time.Time) map[string]any {
	text, err := json.Marshal(record{c.holder, until.UTC().Truncate(time.Millisecond), run})
	if err != nil {
		panic(err) // cannot happen: texts and a time
	}
	return map[string]any{"name": Application, "throttlingPolicy": "Unlimited", "tokenType": "JWT", "description": string(text)}
}

// gone is err, or nil if it says that the application does not exist.
func gone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}

// isGone reports whether API-M does not know the application. A 404 without a code is that of a server that starts.
func isGone(err error) bool { return wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) }
