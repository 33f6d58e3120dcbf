package postgres

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// What the server gets is to the byte what pgx makes of the same payloads.
func TestAPayloadArrayIsEncodedLikeAnyArray(t *testing.T) {
	m := pgtype.NewMap()
	json, _ := m.TypeForOID(pgtype.JSONOID)
	codec := payloadArrayCodec{&pgtype.ArrayCodec{ElementType: json}}
	for _, payloads := range [][][]byte{{[]byte("1")}, {[]byte(`{"a":"ü"}`), []byte("[]"), bytes.Repeat([]byte("9"), 300)}} {
		want, err := m.Encode(pgtype.JSONArrayOID, pgtype.BinaryFormatCode, pgtype.FlatArray[[]byte](payloads), []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		plan := codec.PlanEncode(m, pgtype.JSONArrayOID, pgtype.BinaryFormatCode, payloadArray(payloads))
		got, err := plan.Encode(payloadArray(payloads), []byte("x"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q, %v, not %q", got, err, want)
		}
	}
}
