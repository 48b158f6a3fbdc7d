package bootstrap

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/remedy"
	"wso2agent/internal/sorting"
	"wso2agent/internal/wso2"
)

// Several runs can work at the same time, on several machines. Each makes what is missing, and API-M does not always prevent that
// two of them make the same. The runs find such duplicates afterwards, and all of them keep the same one.

// KeeperFirst returns the key managers of one name. The first is the one that stays: one that is in use, or else the one with the
// smallest id.
func KeeperFirst(list []wso2.KeyManagerInfo, name string) []wso2.KeyManagerInfo {
	same := slices.DeleteFunc(slices.Clone(list), func(km wso2.KeyManagerInfo) bool { return km.Name != name })
	sorting.By(same, func(a, b wso2.KeyManagerInfo) int {
		switch {
		case a.Used == b.Used:
			return cmp.Compare(a.ID, b.ID)
		case a.Used:
			return -1
		}
		return 1
	})
	return same
}

// takeKeyManager finds the key manager of the configured name in a list, and deletes its duplicates. found is false if there is none.
func (r *run) takeKeyManager(ctx context.Context, list []wso2.KeyManagerInfo) (found bool, err error) {
	same := KeeperFirst(list, r.KMName)
	if len(same) == 0 {
		return false, nil
	}
	keeper := same[0].ID
	for _, other := range same[1:] {
		if keeper, err = r.dropKeyManager(ctx, keeper, other.ID); err != nil {
			return false, err
		}
	}
	if keeper != r.km.id {
		r.km = keyManager{issuer: r.km.issuer, id: keeper, changed: r.km.changed || len(same) > 1}
	}
	return true, nil
}

// dropKeyManager deletes one of two key managers with the configured name, and returns the id of the one that stays. If other has
// come into use since the list was read, other stays and keeper goes.
func (r *run) dropKeyManager(ctx context.Context, keeper, other string) (stays string, err error) {
	for range 2 {
		err = r.change(fmt.Sprintf("deleted key manager %s %s, which was made twice", r.KMName, other), func() error {
			return orGone(r.Admin.DeleteKeyManager(ctx, other))
		})
		if !wso2.HasCode(err, wso2.CodeKeyManagerInUse) {
			return keeper, err
		}
		keeper, other = other, keeper
	}
	return "", Permanent(remedy.Add(fmt.Errorf("API-M has two key managers %s, %s and %s, and applications have keys of both: its gateway mixes up their tokens", r.KMName, keeper, other),
		"delete the keys of one of them in the DevPortal"))
}

// orDeleted marks the error of a missing key manager as transient. The list had it, and another run has deleted it since as a
// duplicate, so the next list does not have it.
func orDeleted(err error) error {
	if wso2.HasCode(err, wso2.CodeKeyManagerGone) {
		return transient(err)
	}
	return err
}

// orGone returns nil for the error that the thing to delete does not exist. Another run has deleted it.
func orGone(err error) error {
	if wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) {
		return nil
	}
	return err
}
