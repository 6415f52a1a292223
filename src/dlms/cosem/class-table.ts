/**
 * COSEM interface classes (Blue Book 4.3 to 4.6) as data. An attribute is written `name:type`, with `!` behind what a client
 * is meant to write (it may read everything but secrets) and `@N` for what came with version N. A type is a Data type, or
 * `any` where the class leaves a choice. Attribute 1 is the logical name everywhere, so that rows begin with attribute 2.
 * A method is its name, `@N` likewise, `-` for a number that is reserved.
 */
export interface ClassRow {
  readonly id: number;
  readonly versions: readonly number[];
  readonly name: string;
  readonly attributes: string;
  readonly methods: string;
}

function row(id: number, versions: readonly number[], name: string, attributes: string, methods = ''): ClassRow {
  return { id, versions, name, attributes, methods };
}

const RESET = 'reset';

/** Classes 1 to 70. */
const METERING: readonly ClassRow[] = [
  row(1, [0], 'Data', 'value:any!'),
  row(3, [0], 'Register', 'value:any scaler_unit:structure', RESET),
  row(4, [0], 'Extended register', 'value:any scaler_unit:structure status:any capture_time:octet-string', RESET),
  row(
    5,
    [0],
    'Demand register',
    `current_average_value:any last_average_value:any scaler_unit:structure status:any capture_time:octet-string
     start_time_current:octet-string period:double-long-unsigned! number_of_periods:long-unsigned!`,
    'reset next_period',
  ),
  row(
    6,
    [0],
    'Register activation',
    'register_assignment:array! mask_list:array! active_mask:octet-string!',
    'add_register add_mask delete_mask',
  ),
  row(
    7,
    [0, 1],
    'Profile generic',
    `buffer:array capture_objects:array! capture_period:double-long-unsigned! sort_method:enum! sort_object:structure!
     entries_in_use:double-long-unsigned profile_entries:double-long-unsigned!`,
    'reset capture get_buffer_by_range get_buffer_by_index',
  ),
  row(
    8,
    [0],
    'Clock',
    `time:octet-string! time_zone:long! status:unsigned daylight_savings_begin:octet-string!
     daylight_savings_end:octet-string! daylight_savings_deviation:integer! daylight_savings_enabled:boolean!
     clock_base:enum`,
    `adjust_to_quarter adjust_to_measuring_period adjust_to_minute adjust_to_preset_time preset_adjusting_time
     shift_time`,
  ),
  row(9, [0], 'Script table', 'scripts:array!', 'execute'),
  row(10, [0], 'Schedule', 'entries:array!', 'enable_disable insert delete'),
  row(11, [0], 'Special days table', 'entries:array!', 'insert delete'),
  row(17, [0], 'SAP assignment', 'sap_assignment_list:array', 'connect_logical_device'),
  row(
    18,
    [0],
    'Image transfer',
    `image_block_size:double-long-unsigned image_transferred_blocks_status:bit-string
     image_first_not_transferred_block_number:double-long-unsigned image_transfer_enabled:boolean!
     image_transfer_status:enum image_to_activate_info:array`,
    'image_transfer_initiate image_block_transfer image_verify image_activate',
  ),
  row(
    20,
    [0],
    'Activity calendar',
    `calendar_name_active:octet-string season_profile_active:array week_profile_table_active:array
     day_profile_table_active:array calendar_name_passive:octet-string! season_profile_passive:array!
     week_profile_table_passive:array! day_profile_table_passive:array! activate_passive_calendar_time:octet-string!`,
    'activate_passive_calendar',
  ),
  row(21, [0], 'Register monitor', 'thresholds:array! monitored_value:structure! actions:array!'),
  row(22, [0], 'Single action schedule', 'executed_script:structure! type:enum! execution_time:array!'),
  row(
    61,
    [0],
    'Register table',
    'table_cell_values:array table_cell_definition:structure! scaler_unit:structure',
    'reset capture',
  ),
  row(
    62,
    [0, 1],
    'Compact data',
    `compact_buffer:octet-string capture_objects:array! template_id:unsigned template_description:octet-string
     capture_method:enum!`,
    'reset capture',
  ),
  row(63, [0], 'Status mapping', 'status_word:any mapping_table:structure!'),
  row(
    68,
    [0],
    'Arbitrator',
    `actions:array! permissions_table:array! weightings_table:array! most_recent_requests_table:array
     last_outcome:unsigned`,
    'request_action reset',
  ),
  row(
    70,
    [0],
    'Disconnect control',
    'output_state:boolean control_state:enum control_mode:enum!',
    'remote_disconnect remote_reconnect',
  ),
  row(
    71,
    [0],
    'Limiter',
    `monitored_value:structure! threshold_active:any threshold_normal:any! threshold_emergency:any!
     min_over_threshold_duration:double-long-unsigned! min_under_threshold_duration:double-long-unsigned!
     emergency_profile:structure! emergency_profile_group_id_list:array! emergency_profile_active:boolean
     actions:structure!`,
  ),
];

/** Associations and their security. */
const ACCESS: readonly ClassRow[] = [
  row(
    12,
    [0],
    'Association SN',
    'object_list:array',
    `getlist_by_classid getobj_by_logicalname read_by_logicalname get_attributes_and_methods change_lls_secret
     change_hls_secret get_hls_challenge reply_to_hls_challenge`,
  ),
  row(
    12,
    [1, 2, 3, 4],
    'Association SN',
    `object_list:array access_rights_list:array@2 security_setup_reference:octet-string@2 user_list:array!@3
     current_user:structure@3`,
    '- - read_by_logicalname - change_secret - - reply_to_hls_authentication add_user@3 remove_user@3',
  ),
  row(
    15,
    [0, 1, 2, 3],
    'Association LN',
    `object_list:array associated_partners_id:structure application_context_name:any xdlms_context_info:structure
     authentication_mechanism_name:any secret:octet-string! association_status:enum
     security_setup_reference:octet-string@1 user_list:array!@2 current_user:structure@2`,
    'reply_to_hls_authentication change_hls_secret add_object remove_object add_user@2 remove_user@2',
  ),
  row(
    64,
    [0],
    'Security setup',
    `security_policy:enum security_suite:enum client_system_title:octet-string! server_system_title:octet-string`,
    'security_activate global_key_transfer',
  ),
  row(
    64,
    [1],
    'Security setup',
    `security_policy:enum security_suite:enum client_system_title:octet-string! server_system_title:octet-string
     certificates:array`,
    `security_activate key_transfer key_agreement generate_key_pair generate_certificate_request import_certificate
     export_certificate remove_certificate`,
  ),
];

/** Ways in and out of a meter. */
const COMMUNICATION: readonly ClassRow[] = [
  row(
    19,
    [0, 1],
    'IEC local port setup',
    `default_mode:enum! default_baud:enum! prop_baud:enum! response_time:enum! device_addr:octet-string!
     pass_p1:octet-string! pass_p2:octet-string! pass_w5:octet-string!`,
  ),
  row(
    23,
    [0, 1],
    'IEC HDLC setup',
    `comm_speed:enum! window_size_transmit:unsigned! window_size_receive:unsigned!
     max_info_field_length_transmit:long-unsigned! max_info_field_length_receive:long-unsigned!
     inter_octet_time_out:long-unsigned! inactivity_time_out:long-unsigned! device_address:long-unsigned!`,
  ),
  row(27, [0, 1], 'Modem configuration', 'comm_speed:enum! initialization_string:array! modem_profile:array!'),
  row(
    28,
    [0, 2],
    'Auto answer',
    `mode:enum! listening_window:array! status:enum number_of_calls:unsigned! number_of_rings:structure!
     list_of_allowed_callers:array!@2`,
  ),
  row(
    29,
    [0],
    'Auto dial',
    'mode:enum! repetitions:unsigned! repetition_delay:long-unsigned! calling_window:array! phone_list:array!',
  ),
  row(
    29,
    [1, 2],
    'Auto connect',
    'mode:enum! repetitions:unsigned! repetition_delay:long-unsigned! calling_window:array! destination_list:array!',
    'connect@2',
  ),
  row(
    40,
    [0, 1, 2],
    'Push setup',
    `push_object_list:array! send_destination_and_method:structure! communication_window:array!
     randomisation_start_interval:long-unsigned! number_of_retries:unsigned! repetition_delay:any!
     port_reference:octet-string!@1 push_client_sap:integer!@1 push_protection_parameters:array!@1
     push_operation_method:enum!@2 confirmation_parameters:structure!@2 last_confirmation_date_time:octet-string@2`,
    'push reset@2',
  ),
  row(
    41,
    [0],
    'TCP-UDP setup',
    `tcp_udp_port:long-unsigned! ip_reference:octet-string! mss:long-unsigned! nb_of_sim_conn:unsigned!
     inactivity_time_out:long-unsigned!`,
  ),
  row(
    42,
    [0],
    'IPv4 setup',
    `dl_reference:octet-string! ip_address:double-long-unsigned! multicast_ip_address:array! ip_options:array!
     subnet_mask:double-long-unsigned! gateway_ip_address:double-long-unsigned! use_dhcp_flag:boolean!
     primary_dns_address:double-long-unsigned! secondary_dns_address:double-long-unsigned!`,
    'add_mc_ip_address delete_mc_ip_address get_nbof_mc_ip_addresses',
  ),
  row(43, [0], 'MAC address setup', 'mac_address:octet-string!'),
  row(
    44,
    [0],
    'PPP setup',
    'phy_reference:octet-string! lcp_options:array! ipcp_options:array! ppp_authentication:any!',
  ),
  row(45, [0], 'GPRS modem setup', 'apn:octet-string! pin_code:long-unsigned! quality_of_service:structure!'),
  row(
    47,
    [0, 1, 2],
    'GSM diagnostic',
    `operator:visible-string status:enum cs_attachment:enum ps_status:enum cell_info:structure adjacent_cells:array
     capture_time:any`,
  ),
  row(
    72,
    [0, 1],
    'M-Bus client',
    `mbus_port_reference:octet-string! capture_definition:array! capture_period:double-long-unsigned!
     primary_address:unsigned! identification_number:double-long-unsigned! manufacturer_id:long-unsigned!
     version:unsigned! device_type:unsigned! access_number:unsigned status:unsigned alarm:unsigned
     configuration:long-unsigned@1 encryption_key_status:enum@1`,
    `slave_install slave_deinstall capture reset_alarm synchronize_clock data_send set_encryption_key
     transfer_key`,
  ),
];

const PAYMENT: readonly ClassRow[] = [
  row(
    111,
    [0],
    'Account',
    `account_mode_and_status:structure current_credit_in_use:unsigned current_credit_status:bit-string
     available_credit:double-long amount_to_clear:double-long clearance_threshold:double-long!
     aggregated_debt:double-long credit_reference_list:array! charge_reference_list:array!
     credit_charge_configuration:array! token_gateway_configuration:array! account_activation_time:octet-string!
     account_closure_time:octet-string! currency:structure! low_credit_threshold:double-long!
     next_credit_available_threshold:double-long! max_provision:long-unsigned! max_provision_period:double-long!`,
    'activate_account close_account reset_account',
  ),
  row(
    112,
    [0],
    'Credit',
    `current_credit_amount:double-long credit_type:enum priority:unsigned! warning_threshold:double-long!
     limit:double-long! credit_configuration:bit-string! credit_status:enum preset_credit_amount:double-long!
     credit_available_threshold:double-long! period:octet-string!`,
    'update_amount set_amount_to_value invoke_credit',
  ),
  row(
    113,
    [0],
    'Charge',
    `total_amount_paid:double-long charge_type:enum priority:unsigned! unit_charge_active:structure
     unit_charge_passive:structure! unit_charge_activation_time:octet-string! period:double-long-unsigned!
     charge_configuration:bit-string! last_collection_time:octet-string last_collection_amount:double-long
     total_amount_remaining:double-long proportion:long-unsigned!`,
    `update_unit_charge activate_passive_unit_charge collect update_total_amount_remaining
     set_total_amount_remaining`,
  ),
  row(
    115,
    [0],
    'Token gateway',
    `token:octet-string token_time:octet-string token_description:array token_delivery_method:enum
     token_status:structure`,
    'enter',
  ),
];

export const CLASS_ROWS: readonly ClassRow[] = [...METERING, ...ACCESS, ...COMMUNICATION, ...PAYMENT].sort(
  (a, b) => a.id - b.id,
);
