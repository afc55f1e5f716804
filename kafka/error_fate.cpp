#include "kafka/error_fate.hpp"

namespace headrace::kafka {

error_fate fate_of(rd_kafka_resp_err_t error, bool local) {
    switch (error) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            return error_fate::acked;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            return local ? error_fate::too_large : error_fate::send_alone;
        // The whole request was larger than the broker takes.
        case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return error_fate::send_alone;
        default:
            return error_fate::spool;
    }
}

}  // namespace headrace::kafka
