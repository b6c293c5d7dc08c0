package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// DeviceKey is a device that signs what it sends.
type DeviceKey struct {
	Key       string    `json:"key" doc:"Ed25519 public key, 64 hex digits."`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

const maxDevices = 100

type deviceList struct {
	Body struct {
		Devices []DeviceKey `json:"devices"`
	}
}

func (s *server) deviceRoutes(api huma.API) {
	driver(s, api, huma.Operation{OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/me/devices", Tags: []string{"devices"}, Summary: "My devices' keys"}, s.devices)
	driver(s, api, huma.Operation{OperationID: "add-device", Method: http.MethodPost, Path: "/v1/me/devices", Tags: []string{"devices"}, Summary: "Register a device's key",
		Description: "Uploads signed with it count as coming from that device. Unsigned uploads work, with less trust.", DefaultStatus: http.StatusCreated}, s.addDevice)
	driver(s, api, huma.Operation{OperationID: "revoke-device", Method: http.MethodDelete, Path: "/v1/me/devices/{id}", Tags: []string{"devices"},
		Summary: "Revoke a device's key", Description: "It signs nothing from now on, and cannot be registered again.", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, c *contributor, in *struct {
			ID string `path:"id" doc:"The key."`
		}) (*none, error) {
			n, err := s.DB.Exec(ctx, `UPDATE device_keys SET revoked_at = $3 WHERE contributor_id = $1 AND public_key = $2 AND revoked_at = 0`,
				string(c.id), in.ID, state.Micros(s.Clock()))
			if err == nil && n == 0 {
				err = survey.Errorf(survey.NotFound, "no device key %.64q in use", in.ID)
			}
			return nil, err
		})
}

func (s *server) devices(ctx context.Context, c *contributor, _ *struct{}) (*deviceList, error) {
	rows, err := s.DB.Query(ctx, `SELECT public_key, name, created_at, revoked_at FROM device_keys WHERE contributor_id = $1 ORDER BY created_at, public_key`, string(c.id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &deviceList{}
	out.Body.Devices = []DeviceKey{}
	for rows.Next() {
		var k DeviceKey
		var made, revoked int64
		if err := rows.Scan(&k.Key, &k.Name, &made, &revoked); err != nil {
			return nil, err
		}
		k.CreatedAt, k.RevokedAt = state.Time(made), state.Time(revoked)
		out.Body.Devices = append(out.Body.Devices, k)
	}
	return out, rows.Err()
}

func (s *server) addDevice(ctx context.Context, c *contributor, in *struct {
	Body struct {
		Key  string `json:"key" pattern:"^[0-9a-f]{64}$" doc:"Ed25519 public key, 64 lower-case hex digits."`
		Name string `json:"name" minLength:"1" maxLength:"80"`
	}
}) (*struct{ Body DeviceKey }, error) {
	if b, err := hex.DecodeString(in.Body.Key); err != nil || len(b) != 32 || !printable(in.Body.Name) {
		return nil, survey.Errorf(survey.Invalid, "the device needs a key of 64 hex digits and a printable name")
	}
	k := DeviceKey{Key: in.Body.Key, Name: in.Body.Name, CreatedAt: s.Clock().UTC().Truncate(time.Microsecond)}
	err := s.DB.Tx(ctx, func(tx *state.Tx) error {
		var made, revoked int64
		switch err := tx.QueryRow(ctx, `SELECT created_at, revoked_at FROM device_keys WHERE contributor_id = $1 AND public_key = $2`, string(c.id), k.Key).Scan(&made, &revoked); {
		case err == nil && revoked != 0:
			return survey.Errorf(survey.Conflict, "device key %s was revoked", k.Key).WithHint("make a new key")
		case err == nil: // registering twice changes nothing
			k.CreatedAt = state.Time(made)
			return nil
		case !errors.Is(err, state.ErrNoRows):
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM device_keys WHERE contributor_id = $1`, string(c.id)).Scan(&n); err != nil {
			return err
		}
		if n >= maxDevices {
			return survey.Errorf(survey.Conflict, "there are %d device keys already", n)
		}
		_, err := tx.Exec(ctx, `INSERT INTO device_keys (contributor_id, public_key, name, created_at) VALUES ($1, $2, $3, $4)`,
			string(c.id), k.Key, k.Name, state.Micros(k.CreatedAt))
		return err
	})
	return &struct{ Body DeviceKey }{k}, err
}

// signer checks the manifest's signature and gives the device's key; "" for an unsigned manifest. A signature that does
// not hold is refused, never taken as none.
func (s *server) signer(ctx context.Context, c *contributor, id survey.UploadID, m *Manifest) (string, error) {
	if m.Signature == nil {
		return "", nil
	}
	bad := func(err error) error { return httpx.ProblemOf(err).Typed("bad-signature") }
	if err := m.Signature.Verify(c.id, id); err != nil {
		return "", bad(err)
	}
	var revoked int64
	err := s.DB.QueryRow(ctx, `SELECT revoked_at FROM device_keys WHERE contributor_id = $1 AND public_key = $2`, string(c.id), m.Signature.Key).Scan(&revoked)
	if errors.Is(err, state.ErrNoRows) {
		return "", bad(survey.Errorf(survey.Invalid, "device key %s is not registered", m.Signature.Key).WithHint("register it at /v1/me/devices"))
	}
	if err == nil && revoked != 0 {
		return "", bad(survey.Errorf(survey.Invalid, "device key %s was revoked", m.Signature.Key).WithHint("make a new key"))
	}
	return m.Signature.Key, err
}
