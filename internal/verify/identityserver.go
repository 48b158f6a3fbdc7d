package verify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// noReport says why a check that asks the agent next to IS is skipped.
const noReport = "no report from the agent next to IS on EXCHANGE_DIR"

// restartsAfter is until when the restart of IS waits for people; zero if it does not.
func restartsAfter(ctx context.Context, cfg config.Config) time.Time {
	trusts, _ := trust.ExchangeOf(cfg).Trusts(ctx, trust.NameOf(cfg, config.IS, cfg.IS.Host)) // trust.is reports the error
	return trusts.After
}

// isSettings compares IS's deployment.toml with what IS needs. A file that the running IS has not read yet does not count, and IS's agent
// says so on the exchange volume.
func (i *inspection) isSettings(ctx context.Context) Check {
	cfg := i.subject.Config
	statement, said := i.statement(ctx)
	switch {
	case said && statement.Restart == trust.RestartByHand:
		return failed("", "the running IS has not read its present deployment.toml, and RESTART is none next to it", "restart IS: docker restart "+cfg.IS.Container)
	case said && statement.Restart != "" && restartsAfter(ctx, cfg).After(time.Now()):
		return Check{Verdict: Warn, Evidence: "the running IS has not read its present deployment.toml, and its restart waits for a maintenance window or an approval", Remedy: "run agent restart status next to IS; agent restart approve lets it restart"}
	case said && statement.Restart != "":
		return Check{Verdict: Warn, Evidence: "the running IS has not read its present deployment.toml, and its agent is about to change that", Remedy: "wait until the agent next to IS is ready"}
	case cfg.Server.Product != config.IS && said:
		return passed("the agent next to IS has nothing to restart it for")
	case cfg.Server.Product != config.IS:
		return skipped("", noReport)
	case cfg.Settings.Mode == "none":
		return skipped("", "SETTINGS is none: the settings are a person's")
	}
	file := server.SettingsFileOf(cfg)
	text, err := file.Read(ctx)
	if err != nil {
		return i.withoutVolume(err)
	}
	needs, err := server.NeedsWithoutSidecar(cfg, text)
	if err != nil {
		return broken(err, "correct the settings of the agent")
	}
	_, changes, err := file.Diff(ctx, needs, cfg.Settings.Mode == "override")
	if err != nil {
		return broken(err, "correct "+file.Path)
	}
	var lacks, kept []string
	for _, c := range changes {
		switch {
		case c.Made():
			lacks = append(lacks, c.Setting)
		case c.Action == server.Kept:
			kept = append(kept, c.Setting)
		}
	}
	switch {
	case len(lacks) > 0:
		return failed("", file.Path+" lacks "+listed(lacks), "run agent config diff, and agent init or agent run next to IS, which make the settings")
	case len(kept) > 0:
		return Check{Verdict: Warn, Evidence: "somebody else has set " + listed(kept), Remedy: "run agent config diff next to IS; SETTINGS=override replaces these values"}
	}
	switch key, err := server.JudgeKey(cfg, text); {
	case errors.Is(err, server.ErrKey):
		return broken(err, "restore the key before the next start of IS (docs/operating.md)")
	case err != nil:
		return broken(err, "correct "+file.Path)
	case key.Warning != "":
		return Check{Verdict: Warn, Evidence: key.Warning, Remedy: "see docs/operating.md, The encryption key"}
	}
	return passed("%s has all of them", file.Path)
}

// listed joins names, of many only the first.
func listed(names []string) string {
	text := strings.Join(names[:min(len(names), namedAtMost)], ", ")
	if more := len(names) - namedAtMost; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// isHandler looks for the handler where IS takes it from. Away from IS it takes the word of the agent next to IS.
func (i *inspection) isHandler(ctx context.Context) Check {
	cfg := i.subject.Config
	const remedy = "put the handler wso2is.notification.event.handlers into IS (ARTIFACTS=default next to IS, or ARTIFACT_SOURCE_DIR if it has no network) and restart it"
	if cfg.Server.Product != config.IS {
		switch statement, said := i.statement(ctx); {
		case !said:
			return skipped("", noReport)
		case !statement.Handler:
			return Check{Verdict: Warn, Evidence: "the agent next to IS says that IS has no handler: " + StillValid, Remedy: remedy}
		}
		return passed("the agent next to IS says that IS has it")
	}
	var loaded, others []string // IS skips a handler that does not fit, such as that of the version before an upgrade
	for _, jar := range artifact.RevocationHandlers(cfg.Artifacts.Dir, cfg.Server.Home) {
		resolves, err := artifact.Resolves(jar, cfg.Release)
		switch {
		case err != nil:
			return failed("", fmt.Sprintf("%s is not a bundle: %v", jar, err), remedy)
		case resolves:
			loaded = append(loaded, jar)
		default:
			others = append(others, filepath.Base(jar))
		}
	}
	switch {
	case len(loaded) == 1:
		return passed("%s", loaded[0])
	case len(loaded) > 1:
		return failed("", "IS has more than one: "+listed(loaded), "keep one of them: IS loads both")
	case len(others) > 0:
		return failed("", fmt.Sprintf("%s needs another OSGi or Java than IS %s has, so IS does not load it, and reports no error", listed(others), cfg.Release.Version),
			"take the handler "+cfg.Release.HandlerVersions+" (ARTIFACTS_FILE)")
	}
	return Check{Verdict: Warn, Evidence: "IS has no handler: " + StillValid, Remedy: remedy}
}

// exposed is what a try as an API subscriber has found, once for both checks.
type exposed struct {
	tried bool
	Exposure
	err error
}

// expose tries to administer IS as an API subscriber.
func (i *inspection) expose(ctx context.Context) exposed {
	if !i.exposure.tried {
		is := IdentityServer{HTTP: i.HTTP, OAuth: i.IS, Authorization: i.Scopes, All: i.subject.Config.Scopes.Mode == "all"}
		e, err := Expose(ctx, is, "check") // one name for all runs, so that each removes what a killed one has left
		i.exposure = exposed{true, e, err}
	}
	return i.exposure
}

func (i *inspection) closedScopes(ctx context.Context) Check {
	e := i.expose(ctx)
	if e.err != nil {
		return broken(e.err, "look for errors in IS's log")
	}
	return judged(judgeScopes(e.Scopes, i.circumstances(ctx)), "a new client does not get the scope "+adminScope)
}

func (i *inspection) closedSCIM11(ctx context.Context) Check {
	e := i.expose(ctx)
	if e.err != nil {
		return broken(e.err, "look for errors in IS's log")
	}
	return judged(judgeSCIM11(e.SCIM11, i.circumstances(ctx)), "SCIM 1.1 refuses the token of a new client")
}

func (i *inspection) circumstances(ctx context.Context) Circumstances {
	c, said := i.statement(ctx)
	return Circumstances{Closing: c, Said: said, All: i.subject.Config.Scopes.Mode == "all", Container: i.subject.Config.IS.Container}
}

func judged(j Judgement, closed string) Check {
	switch j.Openness {
	case Closed:
		return passed("%s", closed)
	case Open:
		return failed("", j.why, j.remedy)
	}
	return Check{Verdict: Warn, Evidence: j.why, Remedy: j.remedy}
}

// isMe asks IS for the user of the throw-away application's token, as API-M's connector does. IS answers only with the entry for
// /scim2/Me in its list of access control.
func (i *inspection) isMe(ctx context.Context) Check {
	if i.result.KeyManager != i.subject.Settings.KMName {
		return skipped("", "the token is not of IS (KEY_MANAGER_NAME)")
	}
	if err := i.IS.Me(ctx, i.token.AccessToken); err != nil {
		c := broken(err, "")
		c.Remedy = "run agent init or agent run next to IS: its deployment.toml needs the entry for (.*)/scim2/Me in [[resource.access_control]] (agent config diff), and IS must have been restarted since"
		return c
	}
	return passed("%s answers to the token of an application", wso2.UserInfoPath)
}
