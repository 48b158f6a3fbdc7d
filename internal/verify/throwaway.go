package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"wso2agent/internal/wso2"
)

// The name of a throw-away application of API-M consists of a prefix, the Unix time in milliseconds, and the owner, so that two
// verifications at the same time do not conflict. One of the same owner, or one that is older than its kind may get, belongs to a run that
// was killed: a bootstrap waits long for many APIs, and agent verify ends within [LongestInspection].
const (
	throwAwayPrefix      = "wso2agent-"
	throwAwayApplication = throwAwayPrefix + "verify-" // of a bootstrap
	throwAwayInspection  = throwAwayPrefix + "check-"  // of agent verify
	throwAwayPolicy      = "Unlimited"                 // of the application, and of its subscription to an API that offers it
	throwAwayAge         = time.Hour                   // of one of a bootstrap
)

// LongestInspection is how long a run of [All] may take.
const LongestInspection = 10 * time.Minute

var throwAwayForm = regexp.MustCompile("^(" + throwAwayApplication + "|" + throwAwayInspection + `)(\d+)-([a-z0-9]{8})$`)

// client is the client whose tokens call the APIs: that of a throw-away application, or that of the application of bootstrap.
type client struct {
	application string // id of the throw-away application; empty for the application of the result
	key         string
	secret      wso2.Secret
}

// errNotAllowed says that API-M demands an approval for every new application or subscription.
var errNotAllowed = errors.New("API-M demands that a person approves it")

// chooseClient makes the throw-away application. Its new tokens do not revoke those of the application that people use. If API-M
// does not allow the agent to make an application, chooseClient chooses that application's own keys. If API-M fails to make one,
// which is transient, there is no client: the check fails, and the token that people use stays valid.
func (r *run) chooseClient(ctx context.Context) {
	r.deleteApplicationsLeftBehind(ctx, time.Now())
	var err error
	const name = "a throw-away application"
	r.poll(ctx, name, func() (bool, string) {
		err = r.makeClient(ctx)
		return err == nil || wso2.IsPermanent(err) || errors.Is(err, errNotAllowed), said(err, "")
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	if !wso2.IsPermanent(err) && !errors.Is(err, errNotAllowed) {
		r.add(failed(name, err.Error(), "API-M fails to make applications or keys: look for errors in its log"))
		return
	}
	if r.result.ConsumerKey == "" {
		r.add(failed(name, err.Error(), "let the agent's user make applications and subscriptions without approval, or name an application in the file"))
		return
	}
	r.client = client{key: r.result.ConsumerKey, secret: r.result.ConsumerSecret}
	for _, t := range r.targets {
		if !t.api.Subscribed {
			t.onlyKnown()
		}
	}
	r.log.Warn("verification uses the application's own keys, which revokes its present token", "application", r.result.Application,
		"why", err, "remedy", "let the agent's user make applications and subscriptions without approval")
}

// makeClient makes an application with subscriptions to the APIs to call, and its keys. If it fails, it deletes what it has made.
func (r *run) makeClient(ctx context.Context) (err error) {
	name := fmt.Sprintf("%s%d-%s", cmp.Or(r.prefix, throwAwayApplication), time.Now().UnixMilli(), r.Owner)
	app, err := r.DevPortal.CreateApplication(ctx, name, throwAwayPolicy, "verifies that APIs can be called; removed again")
	if err != nil {
		return err
	}
	r.client = client{application: app.ID}
	defer func() {
		if err != nil {
			r.removeClient(ctx)
		}
	}()
	if app.Status != "APPROVED" {
		return fmt.Errorf("application %s is %s: %w", name, app.Status, errNotAllowed)
	}
	for _, t := range r.targets {
		if t.token && t.api.Policy != "" {
			if _, err := r.DevPortal.Subscribe(ctx, app.ID, t.api.ID, t.api.Policy); err != nil {
				return err
			}
		}
	}
	subscriptions, err := r.DevPortal.Subscriptions(ctx, app.ID)
	if err != nil {
		return err
	}
	for _, s := range subscriptions {
		if s.Status != "UNBLOCKED" {
			return fmt.Errorf("a subscription is %s: %w", s.Status, errNotAllowed)
		}
	}
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.result.KeyManagerID)
	if err == nil && keys.ConsumerKey == "" {
		return fmt.Errorf("keys have no consumer key yet: %w", errNotAllowed)
	}
	r.client.key, r.client.secret = keys.ConsumerKey, keys.ConsumerSecret
	return err
}

// removeClient deletes the throw-away application, even if ctx has ended. API-M then deletes its subscriptions, its keys and its
// client at the key manager.
func (r *run) removeClient(ctx context.Context) {
	if r.client.application == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.DevPortal.DeleteApplication(ctx, r.client.application); err != nil {
		r.log.Warn("a throw-away application stays in API-M for now; a later verification deletes it", "error", err)
	}
	r.client = client{}
}

// deleteApplicationsLeftBehind deletes throw-away applications of verifications that were killed. An application that it cannot read
// or delete stays until the next verification.
func (r *run) deleteApplicationsLeftBehind(ctx context.Context, now time.Time) {
	list, err := r.DevPortal.Applications(ctx, throwAwayPrefix)
	if err != nil {
		return
	}
	for _, app := range list {
		m := throwAwayForm.FindStringSubmatch(app.Name)
		if m == nil {
			continue
		}
		age := throwAwayAge
		if m[1] == throwAwayInspection {
			age = LongestInspection
		}
		if made, err := strconv.ParseInt(m[2], 10, 64); m[3] == r.Owner || err == nil && now.Sub(time.UnixMilli(made)) >= age {
			_ = r.DevPortal.DeleteApplication(ctx, app.ID)
		}
	}
}
