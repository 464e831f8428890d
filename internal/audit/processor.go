package audit

// The actions on processors. Their entries name the processor as the object.
const (
	ActionProcessorCreate Action = "processor.create"
	ActionProcessorUpdate Action = "processor.update"
	ActionProcessorRotate Action = "processor.secret.rotate"
	ActionProcessorRetire Action = "processor.retire"
	ActionProcessorReplay Action = "processor.replay"
	ActionDeliveryRetry   Action = "processor.delivery.retry"
)
