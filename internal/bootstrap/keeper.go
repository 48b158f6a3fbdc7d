package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Keeper brings the servers to the desired state, once or repeatedly. Only one goroutine uses it.
type Keeper struct {
	Log      *slog.Logger
	Load     func() (config.Config, error) // reads the settings
	Accounts *Accounts
	Server   interface { // next to this agent
		Started(context.Context) (s notify.Started, ok bool, err error)
	}
	Watch file.Watch                                      // of the exchange volume
	Tell  func(doing string)                              // reports what the Keeper is doing
	Check func(config.Config) (problem string, err error) // of passwords that the servers have accepted
	// Apply brings the servers to the desired state of a file, and writes the keys of applications.
	Apply func(context.Context, *slog.Logger, *http.Client, Settings, Files, *desired.File) (Result, error)
	// Verify verifies that the result works.
	Verify func(context.Context, config.Config, Servers, Result) error

	connection wso2.Connection
	attempts   *Attempts
	looks      Watch
	overtaken  error              // why the last attempt was cancelled, and the next one is due at once
	unsent     serviceuser.Record // the last one that made an attempt due
	named      struct {           // the files that the API configuration names
		digest string // of the configuration
		paths  []string
	}
}

// Turn brings the servers to the desired state if its input has changed, or if a look at the servers shows that they have lost
// it. A non-nil unreadable means that the agent cannot read its settings, and that cfg has the former ones. Each value of changes
// may end an attempt. Turn returns the wait before the next turn; it is 0 only if ctx has ended.
func (k *Keeper) Turn(ctx context.Context, cfg config.Config, unreadable error, changes <-chan struct{}) (wait time.Duration) {
	if k.attempts == nil {
		k.attempts, k.looks = NewAttempts(k.Log, cfg.Bootstrap.Look), Watch{Log: k.Log}
	}
	if made, err := k.attempts.Reached(); made && k.looks.Due(cfg.Bootstrap.Look) && k.look(ctx, cfg, err == nil) {
		k.attempts.Lost()
	}
	k.overtaken = nil
	if unreadable != nil {
		k.attempts.Unreadable(unreadable, time.Now())
	} else if k.attempts.Due(k.Input(ctx, cfg), time.Now()) {
		in, err := k.attempt(ctx, cfg, changes)
		debug.FreeOSMemory() // an attempt takes far more than an idle agent needs
		switch {
		case ctx.Err() != nil:
			return 0
		case errors.Is(err, errInputChanged):
			k.Log.Info("starting over", "because", err.Error())
			k.overtaken = err
			return atOnce
		}
		k.looks.Forget()
		k.attempts.Ended(in, err, time.Now())
	}
	look := k.looks.In(cfg.Bootstrap.Look)
	if again, ok := k.attempts.Wait(time.Now()); ok {
		return max(min(again, look), atOnce)
	}
	return max(look, atOnce)
}

// atOnce is the wait before a turn that is due now.
const atOnce = time.Nanosecond

// Trouble returns why the desired state is not reached, or no longer holds; nil if it does.
func (k *Keeper) Trouble() error {
	if k.overtaken != nil {
		return k.overtaken
	}
	if _, err := k.attempts.Reached(); err != nil {
		return err
	}
	return k.looks.Trouble()
}

// Reached returns when the servers have reached the desired state, and reports whether they still have it, and nothing that it depends on
// has changed since.
func (k *Keeper) Reached(ctx context.Context, cfg config.Config) (at time.Time, is bool) {
	if k.attempts == nil || k.Trouble() != nil {
		return at, false
	}
	last := k.attempts.last
	is, _ = last.Stands(k.Input(ctx, cfg), time.Now(), cfg.Bootstrap.Look)
	return last.At, is
}

// Again makes the next turn bring the servers to the desired state and verify it, for a reason that the log gets.
func (k *Keeper) Again(because string) {
	k.Log.Info("reaching the desired state again", "because", because)
	k.attempts.Lost()
}

// begin begins a run. Its correlation id is in all log lines and requests until end is called.
func (k *Keeper) begin() (end func()) {
	log, run := k.Log, wso2.NewRun()
	k.correlate(log.With("run", run), run)
	return func() { k.correlate(log, "") }
}

func (k *Keeper) correlate(log *slog.Logger, run string) {
	k.connection.Close() // a client keeps the id that it was made with
	k.Log, k.connection.Run = log, run
}

// look looks at both servers, and reports whether the desired state must be reached again. reached says that the last attempt
// reached it. Otherwise the servers cannot have lost anything, and may not have accepted the passwords.
func (k *Keeper) look(ctx context.Context, cfg config.Config, reached bool) (again bool) {
	hc, err := k.connect(cfg)
	if err != nil {
		k.looks.Forget()
		return true // the attempt reports the reason
	}
	var made Made
	if reached {
		if k.lacksPassword(SettingsOf(cfg, k.Accounts)) {
			k.Log.Info("reaching the desired state again", "because", "API-M does not have the present password of the key manager's user")
			return true
		}
		made = FilesOf(cfg).Made()
	}
	return k.looks.Look(ctx, hc, SettingsOf(cfg, k.Accounts), made)
}

// lacksPassword reports whether API-M has not got the password of the user that the agent has made, as after a killed
// agent km rotate-password. Each such password counts once, because API-M may keep another user. The record is not part of the [Input],
// because an attempt changes it.
func (k *Keeper) lacksPassword(s Settings) bool {
	record, err := serviceuser.Load(s.KMUser.Record) // an attempt reports the error
	made := s.KMUser.Setting == "" || s.KMUser.Setting == serviceuser.Create
	if err != nil || !made || !record.Made() || record.Has(record.Account()) || record == k.unsent {
		return false
	}
	k.unsent = record
	return true
}

func (k *Keeper) connect(cfg config.Config) (*http.Client, error) {
	k.connection.Routes = cfg.Trust.ConnectTo
	return k.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
}

// attempt waits until the servers trust each other, and then works until the desired state is reached. It returns the input that
// it used. The error wraps errInputChanged if the input has changed meanwhile.
func (k *Keeper) attempt(ctx context.Context, cfg config.Config, changes <-chan struct{}) (in Input, err error) {
	k.Tell("waiting until both running servers trust each other")
	if err := k.AwaitTrust(ctx, cfg); err != nil {
		return nil, err
	}
	if cfg, err = k.Load(); err != nil { // the wait may have taken long
		return nil, err
	}
	k.connection.Close() // the settings may name other addresses now
	in = k.Input(ctx, cfg)
	// A change by a peer does not end the attempt, because the attempt uses the new state anyway.
	changed := func() error {
		now, err := k.Load()
		if err != nil {
			return nil
		}
		if own, _ := in.Changes(k.Input(ctx, now)); len(own) > 0 {
			return fmt.Errorf("%w: %s", errInputChanged, listed(own))
		}
		return nil
	}
	return in, file.Until(ctx, changes, changed, func(ctx context.Context) error { return k.Reach(ctx, cfg) })
}

// AwaitTrust waits until both agents state that the running servers trust each other. A key manager that is registered earlier is
// not usable. See [trust.Exchange.AwaitTrust].
func (k *Keeper) AwaitTrust(ctx context.Context, cfg config.Config) error {
	am, is := trust.NameOf(cfg, config.AM, cfg.AM.Host), trust.NameOf(cfg, config.IS, cfg.IS.Host)
	if am == "" || is == "" {
		return nil
	}
	return trust.ExchangeOf(cfg).AwaitTrust(ctx, k.Log, k.Watch, am, is)
}
