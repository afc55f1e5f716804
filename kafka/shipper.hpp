#pragma once
// Ships stored records one by one for `headrace spool replay`. Free of librdkafka's types.
#include "config/settings.hpp"
#include "kafka/spool.hpp"

namespace headrace::kafka {

// A factory of functions that send a record and wait for the acknowledgement of all in-sync
// replicas, at most settings.message_timeout. One at a time, so the order is that of the calls.
// The brokers given to the factory replace those of the settings; an empty function comes with
// the reason in `error`. The functions are for one thread.
shipper_factory make_shipper(const config::kafka_settings& settings);

}  // namespace headrace::kafka
