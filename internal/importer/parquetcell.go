package importer

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/consentry/consentry/internal/privacy"
)

// cellWriter writes a value that is not null as a cell of a text table would have it. The text is a
// copy: the value is only lent.
type cellWriter func(parquet.Value) string

// writerFor chooses by logical type, then by physical type (Parquet's LogicalTypes.md).
func writerFor(t parquet.Type) cellWriter {
	logical := t.LogicalType()
	if logical != nil {
		switch is := logical.Value.(type) {
		case *format.DateType:
			return func(v parquet.Value) string { return timeCell(time.Unix(int64(v.Int32())*86400, 0)) }
		case *format.TimestampType:
			unit := is.Unit.Value.Duration()
			return func(v parquet.Value) string { return timestampCell(v.Int64(), unit) }
		case *format.DecimalType:
			return func(v parquet.Value) string { return decimalCell(v, is.Scale) }
		case *format.UUIDType:
			return uuidCell
		case *format.IntType:
			if !is.IsSigned {
				return func(v parquet.Value) string { return strconv.FormatUint(v.Uint64(), 10) }
			}
		}
	}
	return physicalCell
}

func physicalCell(v parquet.Value) string {
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Int96:
		return int96Cell(v)
	case parquet.Float:
		return floatCell(float64(v.Float()), 32)
	case parquet.Double:
		return floatCell(v.Double(), 64)
	default:
		return strings.ToValidUTF8(string(v.ByteArray()), "\ufffd")
	}
}

// floatCell writes a number without an exponent. NaN is how data frames write an unknown number.
func floatCell(f float64, bits int) string {
	if math.IsNaN(f) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// timeCell writes a day as ISO 8601, and the time with it unless it is midnight: data frames
// keep days as timestamps.
func timeCell(at time.Time) string {
	if at = at.UTC(); at.Equal(at.Truncate(24 * time.Hour)) {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.RFC3339Nano)
}

func timestampCell(count int64, unit time.Duration) string {
	perSecond := int64(time.Second / unit)
	return timeCell(time.Unix(count/perSecond, count%perSecond*int64(unit)))
}

// int96Cell reads the timestamps of old writers: nanoseconds of the day, then the Julian day.
func int96Cell(v parquet.Value) string {
	const julianOfEpoch = 2440588
	raw := v.Int96()
	nanos := int64(raw[0]) | int64(raw[1])<<32
	return timeCell(time.Unix((int64(raw[2])-julianOfEpoch)*86400, nanos))
}

// decimalCell writes an unscaled two's complement integer with its point.
func decimalCell(v parquet.Value, scale int32) string {
	unscaled := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		unscaled.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		unscaled.SetInt64(v.Int64())
	default:
		raw := v.ByteArray()
		if len(raw) > 32 { // the widest decimal in use has 256 bits
			return "\ufffd" // which every attribute refuses
		}
		unscaled.SetBytes(raw)
		if len(raw) > 0 && raw[0]&0x80 != 0 {
			unscaled.Sub(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
		}
	}
	if scale <= 0 || scale > 76 {
		return unscaled.String()
	}
	digits := new(big.Int).Abs(unscaled).String()
	if missing := int(scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	sign := ""
	if unscaled.Sign() < 0 {
		sign = "-"
	}
	point := len(digits) - int(scale)
	return sign + digits[:point] + "." + digits[point:]
}

func uuidCell(v parquet.Value) string {
	raw := v.ByteArray()
	if len(raw) != 16 {
		return ""
	}
	return privacy.SubjectID(raw).String()
}

// listCell writes a list as a JSON array of texts; one without items that are known is empty.
func listCell(values []parquet.Value, write cellWriter) string {
	items := make([]string, 0, len(values))
	for _, value := range values {
		if !value.IsNull() {
			items = append(items, write(value))
		}
	}
	if len(items) == 0 {
		return ""
	}
	text, _ := json.Marshal(items) // strings always marshal
	return string(text)
}
