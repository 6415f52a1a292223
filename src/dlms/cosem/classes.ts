/** COSEM interface classes (Blue Book 4.3 to 4.6) as one table: names of attributes and methods by their number. */

export interface CosemClass {
  readonly id: number;
  /** Versions that these names hold for; the latest has all of them, earlier ones end before. */
  readonly versions: readonly number[];
  readonly name: string;
  /** Names from attribute 1 on. */
  readonly attributes: readonly string[];
  /** Names from method 1 on; null for numbers that are reserved. */
  readonly methods: readonly (string | null)[];
}

const RESERVED = '-';

/** Attribute 1 is logical_name everywhere, so the rows begin with attribute 2. */
function row(id: number, versions: readonly number[], name: string, attributes: string, methods = ''): CosemClass {
  return {
    id,
    versions,
    name,
    attributes: ['logical_name', ...words(attributes)],
    methods: words(methods).map((word) => (word === RESERVED ? null : word)),
  };
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

export const CLASSES: readonly CosemClass[] = [
  row(1, [0], 'Data', 'value'),
  row(3, [0], 'Register', 'value scaler_unit', 'reset'),
  row(4, [0], 'Extended register', 'value scaler_unit status capture_time', 'reset'),
  row(
    5,
    [0],
    'Demand register',
    `current_average_value last_average_value scaler_unit status capture_time start_time_current period
     number_of_periods`,
    'reset next_period',
  ),
  row(6, [0], 'Register activation', 'register_assignment mask_list active_mask', 'add_register add_mask delete_mask'),
  row(
    7,
    [0, 1],
    'Profile generic',
    'buffer capture_objects capture_period sort_method sort_object entries_in_use profile_entries',
    'reset capture get_buffer_by_range get_buffer_by_index',
  ),
  row(
    8,
    [0],
    'Clock',
    `time time_zone status daylight_savings_begin daylight_savings_end daylight_savings_deviation
     daylight_savings_enabled clock_base`,
    `adjust_to_quarter adjust_to_measuring_period adjust_to_minute adjust_to_preset_time preset_adjusting_time
     shift_time`,
  ),
  row(9, [0], 'Script table', 'scripts', 'execute'),
  row(10, [0], 'Schedule', 'entries', 'enable_disable insert delete'),
  row(11, [0], 'Special days table', 'entries', 'insert delete'),
  row(
    12,
    [0, 1, 2, 3, 4],
    'Association SN',
    'object_list access_rights_list security_setup_reference user_list current_user',
    '- - read_by_logicalname - change_secret - - reply_to_hls_authentication add_user remove_user',
  ),
  row(
    15,
    [0, 1, 2, 3],
    'Association LN',
    `object_list associated_partners_id application_context_name xdlms_context_info authentication_mechanism_name
     secret association_status security_setup_reference user_list current_user`,
    'reply_to_hls_authentication change_hls_secret add_object remove_object add_user remove_user',
  ),
  row(17, [0], 'SAP assignment', 'sap_assignment_list', 'connect_logical_device'),
  row(
    18,
    [0],
    'Image transfer',
    `image_block_size image_transferred_blocks_status image_first_not_transferred_block_number
     image_transfer_enabled image_transfer_status image_to_activate_info`,
    'image_transfer_initiate image_block_transfer image_verify image_activate',
  ),
  row(
    19,
    [0, 1],
    'IEC local port setup',
    'default_mode default_baud prop_baud response_time device_addr pass_p1 pass_p2 pass_w5',
  ),
  row(
    20,
    [0],
    'Activity calendar',
    `calendar_name_active season_profile_active week_profile_table_active day_profile_table_active
     calendar_name_passive season_profile_passive week_profile_table_passive day_profile_table_passive
     activate_passive_calendar_time`,
    'activate_passive_calendar',
  ),
  row(21, [0], 'Register monitor', 'thresholds monitored_value actions'),
  row(22, [0], 'Single action schedule', 'executed_script type execution_time'),
  row(
    23,
    [0, 1],
    'IEC HDLC setup',
    `comm_speed window_size_transmit window_size_receive max_info_field_length_transmit
     max_info_field_length_receive inter_octet_time_out inactivity_time_out device_address`,
  ),
  row(27, [0, 1], 'Modem configuration', 'comm_speed initialization_string modem_profile'),
  row(
    28,
    [0, 2],
    'Auto answer',
    'mode listening_window status number_of_calls number_of_rings list_of_allowed_callers',
  ),
  row(29, [0, 1, 2], 'Auto connect', 'mode repetitions repetition_delay calling_window destination_list', 'connect'),
  row(
    40,
    [0, 1, 2],
    'Push setup',
    `push_object_list send_destination_and_method communication_window randomisation_start_interval
     number_of_retries repetition_delay port_reference push_client_sap push_protection_parameters
     push_operation_method confirmation_parameters last_confirmation_date_time`,
    'push reset',
  ),
  row(41, [0], 'TCP-UDP setup', 'tcp_udp_port ip_reference mss nb_of_sim_conn inactivity_time_out'),
  row(
    42,
    [0],
    'IPv4 setup',
    `dl_reference ip_address multicast_ip_address ip_options subnet_mask gateway_ip_address use_dhcp_flag
     primary_dns_address secondary_dns_address`,
    'add_mc_ip_address delete_mc_ip_address get_nbof_mc_ip_addresses',
  ),
  row(43, [0], 'MAC address setup', 'mac_address'),
  row(44, [0], 'PPP setup', 'phy_reference lcp_options ipcp_options ppp_authentication'),
  row(45, [0], 'GPRS modem setup', 'apn pin_code quality_of_service'),
  row(47, [0, 1, 2], 'GSM diagnostic', 'operator status cs_attachment ps_status cell_info adjacent_cells capture_time'),
  row(61, [0], 'Register table', 'table_cell_values table_cell_definition scaler_unit', 'reset capture'),
  row(
    62,
    [0, 1],
    'Compact data',
    'compact_buffer capture_objects template_id template_description capture_method',
    'reset capture',
  ),
  row(63, [0], 'Status mapping', 'status_word mapping_table'),
  row(
    64,
    [0, 1],
    'Security setup',
    'security_policy security_suite client_system_title server_system_title certificates',
    `security_activate key_transfer key_agreement generate_key_pair generate_certificate_request
     import_certificate export_certificate remove_certificate`,
  ),
  row(
    68,
    [0],
    'Arbitrator',
    'actions permissions_table weightings_table most_recent_requests_table last_outcome',
    'request_action reset',
  ),
  row(70, [0], 'Disconnect control', 'output_state control_state control_mode', 'remote_disconnect remote_reconnect'),
  row(
    71,
    [0],
    'Limiter',
    `monitored_value threshold_active threshold_normal threshold_emergency min_over_threshold_duration
     min_under_threshold_duration emergency_profile emergency_profile_group_id_list emergency_profile_active
     actions`,
  ),
  row(
    72,
    [0, 1],
    'M-Bus client',
    `mbus_port_reference capture_definition capture_period primary_address identification_number manufacturer_id
     version device_type access_number status alarm configuration encryption_key_status`,
    `slave_install slave_deinstall capture reset_alarm synchronize_clock data_send set_encryption_key
     transfer_key`,
  ),
  row(
    111,
    [0],
    'Account',
    `account_mode_and_status current_credit_in_use current_credit_status available_credit amount_to_clear
     clearance_threshold aggregated_debt credit_reference_list charge_reference_list credit_charge_configuration
     token_gateway_configuration account_activation_time account_closure_time currency low_credit_threshold
     next_credit_available_threshold max_provision max_provision_period`,
    'activate_account close_account reset_account',
  ),
  row(
    112,
    [0],
    'Credit',
    `current_credit_amount credit_type priority warning_threshold limit credit_configuration credit_status
     preset_credit_amount credit_available_threshold period`,
    'update_amount set_amount_to_value invoke_credit',
  ),
  row(
    113,
    [0],
    'Charge',
    `total_amount_paid charge_type priority unit_charge_active unit_charge_passive unit_charge_activation_time
     period charge_configuration last_collection_time last_collection_amount total_amount_remaining proportion`,
    `update_unit_charge activate_passive_unit_charge collect update_total_amount_remaining
     set_total_amount_remaining`,
  ),
  row(115, [0], 'Token gateway', 'token token_time token_description token_delivery_method token_status', 'enter'),
];

const BY_ID: ReadonlyMap<number, CosemClass> = new Map(CLASSES.map((one) => [one.id, one]));

/** `Register`, or `class 9000` for one that the table has not: vendors have classes of their own from 8192 on. */
export function className(id: number): string {
  return BY_ID.get(id)?.name ?? `class ${id}`;
}

/** Attribute 1 of any class is its logical name; null when the number is not known. */
export function attributeName(classId: number, attributeId: number): string | null {
  return BY_ID.get(classId)?.attributes[attributeId - 1] ?? (attributeId === 1 ? 'logical_name' : null);
}

export function methodName(classId: number, methodId: number): string | null {
  return BY_ID.get(classId)?.methods[methodId - 1] ?? null;
}
