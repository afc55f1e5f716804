#include "kafka/error_fate.hpp"

namespace headrace::kafka {

error_fate fate_of(rd_kafka_resp_err_t error, bool alone) {
    switch (error) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            return error_fate::acked;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        // The whole request was larger than the broker takes.
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return alone ? error_fate::too_large : error_fate::send_alone;
        // Says nothing sure about the record itself.
        case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
            return alone ? error_fate::spool : error_fate::send_alone;
        default:
            return error_fate::spool;
    }
}

bool is_of_topic(rd_kafka_resp_err_t error) {
    switch (error) {
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
            return true;
        default:
            return false;
    }
}

bool is_of_sink(rd_kafka_resp_err_t error) {
    switch (error) {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        case RD_KAFKA_RESP_ERR__FATAL:
        case RD_KAFKA_RESP_ERR__FENCED:
        case RD_KAFKA_RESP_ERR__DESTROY:
        case RD_KAFKA_RESP_ERR__STATE:
        case RD_KAFKA_RESP_ERR__FAIL:
            return true;
        default:
            return false;
    }
}

}  // namespace headrace::kafka
